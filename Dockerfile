# The project's image: Airflow, dbt and the package, as locked. One image for every Airflow service.
ARG BASE_IMAGE=python:3.11-slim
FROM ${BASE_IMAGE}

ENV PYTHONUNBUFFERED=1 \
    AIRFLOW_HOME=/var/lib/airflow \
    PYTHONPATH=/app/dags \
    DO_NOT_TRACK=1 \
    SCARF_NO_ANALYTICS=true

WORKDIR /app

# The packages change rarely, the project often: two layers.
COPY requirements.lock ./
RUN python -m pip install --no-cache-dir uv \
    && uv pip install --system --no-cache --require-hashes --compile-bytecode -r requirements.lock

COPY pyproject.toml README.md ./
COPY src ./src
COPY catalog ./catalog
COPY expectations ./expectations
COPY dbt_project ./dbt_project
COPY dags ./dags
# Editable, so that the package finds its catalog, expectations and dbt project beside it, as in a checkout.
RUN uv pip install --system --no-cache --no-deps -e . \
    && useradd --system --home-dir ${AIRFLOW_HOME} --create-home airflow \
    && mkdir -p /var/lib/enforcement /landing \
    && chown airflow /var/lib/enforcement /landing

USER airflow
CMD ["airflow", "version"]
