"""AWS, by botocore: its data files, a GitHub job's identity, and what its errors mean."""
