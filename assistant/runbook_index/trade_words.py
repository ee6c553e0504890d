"""What people write for what runbooks say: abbreviations, slang and the same words in other languages.

Used only for words that no runbook of the folders uses itself (see `reading.py`), so a team's own way of speaking
always stands. Each line: what is meant, a colon, what people write for it. Several words are a turn of phrase.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

MOST_WORDS = 3


@cache
def trade_words() -> Mapping[tuple[str, ...], str]:
    """Meanings by the words written, lower case and without accents."""
    lines = (line.partition(":") for line in _TABLE.strip().splitlines())
    return {tuple(written.split()): meant for meant, _, all_written in lines for written in all_written.split(",")}


_TABLE = """
acquirer: acq, acquiring bank, merchant bank, elavon, worldpay, adyen, fiserv, processor
acquirers: acqs
issuer: iss, issuing bank, card issuing bank, cardholder bank
unavailable: inop, nicht erreichbar
scheme: card brand, card network, brand
mastercard: mc, mcrd
american express: amex
authorisation: auth, authz, authorization, authorised, preauth, autorisierung, autorisation, autorizacion
authorisation: autorizzazione, autorizacao, autorisatie
authorisations: auths, authorizations, autorisierungen, autorisations, autorizaciones, autorizzazioni, autorisaties
authorise: authorize
approval rate: auth rate, acceptance rate, success rate, conversion, genehmigungsquote, taux d acceptation
approval rate: taux acceptation, tasa de aprobacion
declines: says no, refusals, rejections, ablehnungen, refus, rechazos, rifiuti, weigeringen
declined: refused, abgelehnt, refuse, refusees, refuses, rechazadas, rechazada, denegadas, rifiutate, recusadas
declined: geweigerd, no pasan
do not honour: dnh, do not honor
insufficient funds: nsf
transaction: txn, trx, tx
transactions: txns, trxs
transactions per minute: tpm
transactions per second: tps
requests per second: rps, qps
customer: cust, shopper, kunde
customers: custs, shoppers, kunden, clientes, klanten
merchant: merch, mid, shop, haendler, handler, commercant, comercio, esercente
merchants: shops, commercants, comercios
response code: rc
response: resp
message: msg
messages: msgs
configuration: cfg, conf
service: svc
services: svcs
database: db, datenbank, base de donnees, base de datos
postgresql: pg, postgres
connection pool: pgbouncer, hikari, hikaricp
connection: conn
connections: conns
replica: standby, secondary, follower, slave
replication: wal
replica lag: streaming replication
kubernetes: k8s
instances: pods
instance: pod
out of memory: oom, oomkilled, oomkill, oomkiller
memory: rss, heap, mem, speicher, memoire, memoria, geheugen
memory grows: leak
disk: hdd, ssd, festplatte, disque, disco, schijf
disk full: no space left, enospc
clock: ntp, chrony, chronyd, unsync, uhrzeit, horloge, reloj
clock skew: drifts
data centre: dc, datacenter, datacentre
region: az
region failover: evacuate
dns: nxdomain, servfail, coredns, resolver, name resolution
dns resolution: no such host
certificate: x509, cert, ca, zertifikat, certificat, certificado, certificato
certificates: certs, zertifikate
certificate expires: notafter
mtls: mutual tls
tls: ssl
handshake: handshakes
tls handshake: bad certificate
rate limited: throttled, ratelimited
rate limit: throttling, quota
rate limit 429: too many requests
timeouts: timing out
timeout: times out, hang, hangs, no answer, antwortet nicht, repond pas, no responde
latency slow: sluggish
latency: slow, slower, slowness, laggy
lag: lagging
link: leased line, sign on, echo test
link sign-on: signon, logon
queue: mq, queueing, enqueued, file d attente, warteschlange, cola, wachtrij
backlog: backlogged, piling, pile, piles up, piling up, pile up, stuck, bloque, bloques, bloqueados, hangt
queue backlog: outbox
consumer lag: offsets, consumer group
consumer: rebalancing
webhooks: callbacks, notifs, hooks
webhook: callback, notif, ipn
chargeback: cbk, cb, chargebk, rueckbuchung, ruckbuchung, impaye, contracargo
chargebacks: cbks, ruckbuchungen, impayes, contracargos
dispute: disputed
disputes: retrievals
chargeback dispute: representment
refund: reimbursement, money back, moneyback, erstattung, rueckerstattung, ruckerstattung, gutschrift, remboursement
refund: reembolso, rimborso, terugbetaling
refunds: reimbursements, erstattungen, gutschriften, remboursements, reembolsos, rimborsi, terugbetalingen
reconciliation: recon, reconcile
reconciliation breaks: unmatched, do not match, dont match
ledger posting: booking
ledger postings: bookings
posted ledger: booked
ledger: journal, journals, bookkeeping, gl
double charge: billed twice, charged twice, paid twice, double billed, double billing, double debit, duplicate charge
double charge: doppelt abgebucht, doppelbuchung, deux fois, dos veces, due volte
double: twice, doppelt
idempotency: idem, idempotent
idempotency duplicates: dedup, dedupe
end of day batch: eod
cut-off: cutoff, cut off
settlement clearing: clearing, compensation
settlement file: clearing file, abrechnungsdatei
file: sftp, fichier, fichero, archivo, datei
payout: disbursement, remittance, auszahlung, virement, uitbetaling
payouts: disbursements, auszahlungen, virements, transferencias, bonifici, uitbetalingen
bank account payout: iban
fx: forex
fx rates: exchange rate, exchange rates, currency conversion, wechselkurs, wechselkurse, taux de change
fx rates: tipo de cambio
fx currency conversion: dcc
onboarding verification: kyc, kyb
onboarding: signup, activation
merchant onboarding: sub merchant, underwriting
terminal: pos, eft, epos, pinpad, till, cashier, checkout lane, card reader, bezahlterminal
terminals: pinpads, tills, card readers, kartenterminals, terminaux, terminales
hsm: payshield, thales, nshield, luna, crypto box, security module
hsm pin: pin block, pin translation
hsm pin block: pinblock
hsm key: zpk, zmk, lmk, key ceremony, key exchange
hsm key check value: kcv
key: dek, schlussel, cle, clave
tokenisation vault: tokenization
token vault: tokenisation, tokenize, detokenization
detokenise token vault: detokenize
card on file: cof
card on file token: saved card, saved cards
access control server: acs
acs challenge: challenge page, creq, cres, otp
3ds directory server: areq, ares
acs: access control server
3ds directory: directory server
strong authentication 3ds: sca
3ds: 3d secure, threeds, 3ds2
3ds authentication: transstatus
risk fraud: antifraud, anti fraud
risk scoring rules: fraud engine
risk scoring: scoring
model: champion
canary model: challenger
drift: psi, distribution shift
risk declines: false positives
rules engine: rule hit, velocity rule, rule push
feature store: features
fallback: degraded mode
risk fallback: default rules
card testing: bin attack, carding, enumeration, enumerating, bots, bot, zero auth, account verification, cvv mismatch
failover: backup provider, backup psp, secondary psp, switched over, switchover
failover routes: rerouted
failover back: failback
traffic surge: flash sale, black friday, cyber monday, spike in traffic, autoscaling, autoscaler, hpa, lastspitze
volume drop: too quiet, quiet, no traffic
deployment: rolled out, rollout, shipped, deployed, new build
deployment release: release
rollback deployment: roll back
rollback: revert
deployment version: new version
500 502 503 error rate: 5xx
500 error rate: internal server error, internal server errors
errors: exceptions, erreurs, errores, errori, fouten
target down: scrape, up 0, not scraped
pan card number: card numbers, credit card numbers
pan: account number
exposed: leaked
secret: api key, password, credentials, creds
secret token: api token
secret key: private key
format error: malformed, wrong format, parse error
field: de
approval: acceptation, aprobacion
decline: ablehnung, rechazo
decline rate: ablehnungsquote
payment: zahlung, paiement, pago, pagamento, betaling
payments: zahlungen, paiements, pagos, pagamenti, pagamentos, betalingen
card: karte, carte, tarjeta, carta, cartao, kaart
cards: karten, cartes, tarjetas, cartoes, kaarten
bank issuer: banque, banco, banca
terminal offline: kartenterminal
store: filiale
stores: filialen, magasins, tiendas
settlement: abrechnung, liquidacion, regolamento, afrekening
late missing: fehlt, manquant, falta
late: verspatet, en retard, retard
expired: abgelaufen, caducado
expires: lauft ab, expire, caduca
slow latency: langsam, lent, lente, lento, traag
outage unavailable: ausfall, panne
outage down: ausgefallen, caida
down: caido
outage: storing, guasto
full: voll, plein, lleno
card number pan: kartennummer, numero de tarjeta, numero de carte
card numbers pan: kartennummern
fraud: betrug, fraude
rule: regel, regle, regla
rules: regeln, regles, reglas
drop: chute, einbruch, gefallen, baisse, bajada, caduto
error: erreur, fehler
connection link: verbindung, connexion, conexion
"""
