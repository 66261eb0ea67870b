"""From photos and videos to faces with poses."""
