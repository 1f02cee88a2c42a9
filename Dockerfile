# Builds a wheel, installs it with the tested versions of its dependencies, and runs `tapemq serve`.

FROM python:3.14-slim AS build
WORKDIR /src
RUN python -m venv /venv
COPY constraints.txt ./
# The dependencies change more rarely than the code: a layer of their own.
COPY pyproject.toml README.md LICENSE ./
RUN python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
print(*p['dependencies'], *p['optional-dependencies']['broker'], sep='\n')" > requirements.txt \
 && /venv/bin/pip install --no-cache-dir --constraint constraints.txt --requirement requirements.txt
COPY client client
COPY broker broker
RUN /venv/bin/pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . \
 && /venv/bin/pip install --no-cache-dir --no-deps /wheels/*.whl \
 && /venv/bin/pip uninstall --yes pip

FROM python:3.14-slim
RUN useradd --uid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin tapemq \
 && install --directory --owner 10001 --group 10001 --mode 0750 /data
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TAPEMQ_DATA_DIR=/data \
    TAPEMQ_HOST=0.0.0.0 \
    TAPEMQ_HTTP_HOST=0.0.0.0
USER 10001:10001
VOLUME /data
EXPOSE 7077 7078
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["python", "-ISc", "from http.client import HTTPConnection; c = HTTPConnection('127.0.0.1', 7078, timeout=2); c.request('GET', '/readyz'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["tapemq"]
CMD ["serve"]
