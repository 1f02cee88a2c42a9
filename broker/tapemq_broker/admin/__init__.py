"""HTTP beside the protocol: health and metrics. Started once the broker accepts connections."""
