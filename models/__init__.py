"""Mathematics of the product: who acted, how unusual that is, and how a finding is worded."""
