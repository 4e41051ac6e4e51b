"""What is missing from an installation, in words; from within (`inside`) and from without (`outside`)."""
