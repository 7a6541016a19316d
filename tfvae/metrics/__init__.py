"""What is measured after training: arrays and callables in, numbers out."""
