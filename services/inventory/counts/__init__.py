"""Stock counts: two who count blind, a third who approves."""
