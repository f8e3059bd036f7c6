#!/bin/sh
# The name server as its administrator prepares it for examples/consumer: nameserver.sh ADDRESS, or `remove`. Run as root
# inside the primary. Beside it: update-policy as continuity.dr.rights wrote it, and the key's secret in tsig.
set -eu
cd /opt/continuity-consumer
. ./settings.sh
config=/etc/bind/named.conf
change() { # what is left of an earlier project goes, with the key that may do so
    printf '%s\n' "server 127.0.0.1" "zone shop.example." "update delete $record A" \
        "update delete _continuity.$record TXT" "$@" send | nsupdate -k /etc/bind/orders.key
}
if [ "$1" = remove ]; then
    if grep -q '// orders$' "$config"; then
        change
        sed -i '/ \/\/ orders$/d' "$config"
        rndc reconfig
    fi
    rm -f /etc/bind/orders.key
    exit
fi
sed -i '/ \/\/ orders$/d' "$config"
printf 'key "orders" { algorithm hmac-sha256; secret "%s"; };\n' "$(cat tsig)" > /etc/bind/orders.key
chown root:bind /etc/bind/orders.key
chmod 0640 /etc/bind/orders.key
{
    echo 'include "/etc/bind/orders.key"; // orders'
    sed '/^ *update-policy {/q' "$config"
    sed -n 's,^grant .*,        & // orders,p' update-policy
    sed '1,/^ *update-policy {/d' "$config"
} > new.conf
named-checkconf new.conf
cat new.conf > "$config"
rndc reconfig
change "update add $record 5 A $1"
