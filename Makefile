.PHONY: protos
protos:
	.venv/bin/python scripts/protos.py
