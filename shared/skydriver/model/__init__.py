"""What is stored and sent: phases, facts, requests, reports and manifests. Imports nothing of ours."""
