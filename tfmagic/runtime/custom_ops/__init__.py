"""Libraries of custom operations, and the registrations that they make."""
