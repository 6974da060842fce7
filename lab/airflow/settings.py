"""Airflow's settings in the lab. docs/airflow-settings.md says why each of them differs."""

from __future__ import annotations

from lab.airflow.place import Place
from lab.airflow.secrets import USERS, Secrets

API_PORT = 8080  # inside the namespace, on 127.0.0.1
DATABASE = "127.0.0.1:5432/airflow"

# A dependent task starts 0.1 s after its predecessor instead of about 1 s; on two cores more than
# eight tasks at once are slower than eight.
PACE = {
    "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
    "WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    "CORE__PARALLELISM": "8",
    "CORE__MAX_MAP_LENGTH": "4096",
    "CORE__MAX_ACTIVE_TASKS_PER_DAG": "256",
    "DAG_PROCESSOR__REFRESH_INTERVAL": "15",
    "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "15",
    "DAG_PROCESSOR__PARSING_PROCESSES": "1",
    "API__WORKERS": "1",
}

# A dead process is noticed within seconds: the defaults are 300, 10, 300, 30, 30 and 5.
WATCHFULNESS = {
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
    "TRIGGERER__JOB_HEARTBEAT_SEC": "2",
}

# What is only slow on a starved machine is not dead: the defaults are 5 and 30.
PATIENCE = {
    "WORKERS__EXECUTION_API_TIMEOUT": "60",
    "CORE__DAGBAG_IMPORT_TIMEOUT": "120",
}

MANNERS = {
    "CORE__EXECUTOR": "LocalExecutor",
    "CORE__LOAD_EXAMPLES": "False",
    "CORE__TEST_CONNECTION": "Enabled",
    "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "CORE__HOSTNAME_CALLABLE": "socket.gethostname",  # getfqdn would ask the lab's DNS
    "CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:{role}" for user, role in USERS.items()),
    "API__HOST": "127.0.0.1",
    "API__PORT": str(API_PORT),
    "API__INSTANCE_NAME": "Snowmelt lab",
    "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{API_PORT}/execution/",
}


def private(secrets: Secrets) -> dict[str, str]:
    """Return the settings that nobody but Airflow may read."""
    return {
        "DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://airflow:{secrets.database}@{DATABASE}",
        "CORE__FERNET_KEY": secrets.fernet,
        "API_AUTH__JWT_SECRET": secrets.jwt,
        "API__SECRET_KEY": secrets.session,
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(secrets.passwords),
    }


def environment(place: Place, secrets: Secrets, *, ui_port: int) -> dict[str, str]:
    """Return the whole environment of Airflow's processes; nothing of the caller's gets in."""
    folders = {
        "CORE__DAGS_FOLDER": str(place.mount / place.dags),
        "CORE__PLUGINS_FOLDER": str(place.mount / "plugins"),
        "API__BASE_URL": f"http://127.0.0.1:{ui_port}",
    }
    settings = PACE | WATCHFULNESS | PATIENCE | MANNERS | private(secrets) | folders
    return {f"AIRFLOW__{name}": value for name, value in settings.items()} | {
        "AIRFLOW_HOME": str(place.home),
        "SNOWMELT_REQUESTS": str(place.requests),
        "PYTHONPATH": f"{place.mount / 'plugins'}:{place.mount}",
        "PYTHONPYCACHEPREFIX": str(place.cache / "pycache"),
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(place.home),
        "USER": "lab",
        "LOGNAME": "lab",
        "TMPDIR": str(place.root / "tmp"),
        "LANG": "C.UTF-8",
    }
