#!/usr/bin/env bash
# Runs the database migrations; alembic/README says which database.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
    cat <<'HELP'
Usage: ./migrate.sh COMMAND

  upgrade          apply every migration that is missing; with --external-users, or where
                   GOALS_USERS=service, an empty database gets no tables for users and courses
  downgrade        undo the last migration
  current          show the revision of the database
  history          list all revisions
  create "msg"     write the next migration, from what changed in db/models.py
  externalize      users and courses live in another service: drop the constraints to them, and
                   keep the two tables as users_local and courses_local, or not: --drop
  internalize      undo it, if every id that a row refers to is in these tables
  reset [--yes]    DELETE ALL DATA: undo every migration, then apply them again; asks first
  help             show this text

The database is DATABASE_URL (environment or .env), else the embedded PostgreSQL in GOALS_HOME.
HELP
}

run() {
    local program="$1"
    if [[ -x .venv/bin/$program ]]; then
        .venv/bin/"$@"
    elif command -v poetry >/dev/null; then
        poetry run "$@"
    elif command -v "$program" >/dev/null; then
        "$@"
    else
        echo "$program is not installed: run 'poetry install' first" >&2
        exit 127
    fi
}

run_alembic() {
    run alembic "$@"
}

upgrade() {
    case "${1:-}" in
        "") run_alembic upgrade head ;;
        --external-users) run_alembic -x users=service upgrade head ;;
        *)
            usage >&2
            exit 2
            ;;
    esac
}

confirm_reset() {
    [[ "${1:-}" == "--yes" ]] && return
    if [[ ! -t 0 ]]; then
        echo "reset deletes all data, and there is no terminal to ask at: pass --yes" >&2
        exit 1
    fi
    local answer
    read -r -p "Delete all data and build the tables again? Type 'yes': " answer
    if [[ "$answer" != "yes" ]]; then
        echo "Nothing was changed." >&2
        exit 1
    fi
}

case "${1:-help}" in
    upgrade) upgrade "${@:2}" ;;
    externalize | internalize) run goals "$@" ;;
    downgrade) run_alembic downgrade -1 ;;
    current) run_alembic current ;;
    history) run_alembic history --verbose ;;
    create)
        if [[ -z "${2:-}" ]]; then
            echo 'say what changes: ./migrate.sh create "add a column"' >&2
            exit 2
        fi
        run_alembic revision --autogenerate -m "$2"
        ;;
    reset)
        confirm_reset "${2:-}"
        run_alembic downgrade base
        run_alembic upgrade head
        ;;
    help | -h | --help) usage ;;
    *)
        usage >&2
        exit 2
        ;;
esac
