#!/usr/bin/env bash
# Sets up one box, as root: `provision.sh app NAME ADDRESS` a Node.js server, `provision.sh weir` the balancer. The checkout
# is at /weir. It may be run again.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive

go_version=1.26.8 # the version to install where Go is missing; go.mod names the oldest that will do

# service NAME writes and (re)starts a systemd service whose [Service] lines come from stdin.
service() {
  {
    printf '[Unit]\nDescription=%s\nAfter=network-online.target\nWants=network-online.target\n\n[Service]\n' "$1"
    cat
    printf 'Restart=on-failure\n\n[Install]\nWantedBy=multi-user.target\n'
  } >"/etc/systemd/system/$1.service"
  systemctl daemon-reload
  systemctl enable "$1"
  systemctl restart "$1"
}

app() {
  apt-get -qq update
  apt-get -qq -y install --no-install-recommends nodejs
  service app <<SERVICE
Environment=HOST=$2 PORT=8080 NAME=$1
ExecStart=/usr/bin/node /weir/examples/app/server.js
DynamicUser=yes
SERVICE
}

install_go() {
  command -v /usr/local/go/bin/go >/dev/null && return
  apt-get -qq update
  apt-get -qq -y install --no-install-recommends ca-certificates curl
  curl -fsSL "https://go.dev/dl/go$go_version.linux-$(dpkg --print-architecture).tar.gz" | tar -C /usr/local -xz
}

weir() {
  install_go
  export PATH=$PATH:/usr/local/go/bin
  (cd /weir && CGO_ENABLED=0 go build -trimpath -buildvcs=false -o /usr/local/sbin/weir ./cmd/weir)
  id weir >/dev/null 2>&1 || useradd --system --home-dir /var/lib/weir --shell /usr/sbin/nologin weir
  install -d -o weir -g weir /var/log/weir /var/lib/weir
  for log in access error; do # the user weir opens them again after a rotation
    [ -e /var/log/weir/$log.log ] || install -o weir -g weir -m 0640 /dev/null /var/log/weir/$log.log
  done
  install -d -o weir -g weir -m 0750 /etc/weir/ssl
  if [ ! -e /etc/weir/ssl/example.com.key ]; then
    (cd /weir && go run -buildvcs=false ./examples/mkcert -dir /etc/weir/ssl -name example.com example.com 192.168.33.21)
    chown weir: /etc/weir/ssl/*
  fi
  cp /weir/vagrant/weir.conf /etc/weir/weir.conf
  /usr/local/sbin/weir -t
  service weir <<SERVICE
ExecStart=/usr/local/sbin/weir
ExecReload=/bin/kill -HUP \$MAINPID
KillSignal=SIGQUIT
LimitNOFILE=65536
SERVICE
}

case "${1:-}" in
  app) app "$2" "$3" ;;
  weir) weir ;;
  *)
    echo "usage: provision.sh app NAME ADDRESS | weir" >&2
    exit 1
    ;;
esac
