"""Methods on offer, questions, and the jobs that answer them."""
