"""What loads a broker more than it can bear, and a healthy pair beside it that must not notice."""
