#!/bin/sh
# A user without a log-in, and the three folders that may be written to. Its group is root's, as
# platforms that give each project its own user id expect it.
set -eu
useradd --uid 10001 --gid 0 --no-create-home --home-dir /opt/airflow --shell /usr/sbin/nologin nightshift
mkdir -p /opt/airflow/logs /var/lib/nightshift
chown -R 10001:0 /opt/airflow /var/lib/nightshift
chmod -R g=u /opt/airflow /var/lib/nightshift
