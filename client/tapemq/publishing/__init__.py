"""Publishing: from records to receipts."""
