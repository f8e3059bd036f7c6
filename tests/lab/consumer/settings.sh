# What both scripts of a member and those of the name server agree on; read by each of them.
# shellcheck shell=sh disable=SC2034  # used where it is read
login=dbops
cluster=orders
port=6543
data=/srv/pg/orders
database=orders
unit=postgresql@15-orders.service
record=orders-db.shop.example.
