"""The whole pipeline on one machine, for demonstration and development: PostgreSQL and Airflow, no administrator.

Production uses none of it: there ``ENFORCEMENT_WAREHOUSE_URL`` names the warehouse, and Airflow runs elsewhere.
"""
