"""What every REST route needs: who asks, with which arguments, and how to answer."""
