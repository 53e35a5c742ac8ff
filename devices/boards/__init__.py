"""The user's registered boards, the trust in their keys, and the profiles of known boards."""
