"""The whole pipeline on one machine, for demonstration and development: PostgreSQL and Airflow without an administrator.

Nothing of this is used in production, where ``ENFORCEMENT_WAREHOUSE_URL`` names the warehouse and Airflow runs elsewhere.
"""
