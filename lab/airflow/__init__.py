"""Airflow beside the lab: four supervised processes in the lab's network namespace."""
