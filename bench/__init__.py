"""The benchmarks: Stentor's server beside peers that do the same job."""
