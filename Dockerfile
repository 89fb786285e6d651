# syntax=docker/dockerfile:1

FROM python:3.13-slim-bookworm AS libraries
COPY requirements.lock /
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes \
      -r /requirements.lock

FROM python:3.13-slim-bookworm
# OpenMP, for the local chat model
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libgomp1 \
 && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --create-home --home-dir /home/goals goals \
 && install --directory --owner goals --group goals /data /data/lake /home/goals/.cache

COPY --from=libraries /opt/venv /opt/venv
# This is an application: it runs where it lies, beside its migrations, and nothing is built.
COPY . /app
COPY --chmod=755 <<EOF /opt/venv/bin/goals
#!/opt/venv/bin/python
import sys
from api.cli import main
sys.exit(main())
EOF
RUN /opt/venv/bin/python -m compileall -q /app

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    GOALS_HOME=/data \
    GOALS_HOST=0.0.0.0 \
    GOALS_PORT=8000
WORKDIR /app
USER goals
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as web; web.urlopen('http://127.0.0.1:' + os.environ['GOALS_PORT'] + '/healthz', timeout=4)"]
CMD ["goals", "serve"]
