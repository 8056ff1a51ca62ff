"""Pictures of a report, as SVG that stands inside its page."""
