"""What `eamdeploy bench` measures, held against a loop that anybody would write."""
