"""What people write for what runbooks say: abbreviations, slang and the same words in other languages.

Used only for words that no runbook of the folders uses itself (see `reading.py`), so a team's own way of speaking
always stands. One line each: what is written, a colon, what it means. More than one word on the left is a turn of
phrase.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

MOST_WORDS = 3


@cache
def trade_words() -> Mapping[tuple[str, ...], str]:
    """Meanings by the words written, lower case and without accents."""
    pairs = (line.partition(":") for line in _TABLE.strip().splitlines() if line)
    return {tuple(written.split()): meant.strip() for written, _, meant in pairs}


_TABLE = """
acq: acquirer
acqs: acquirers
acquiring bank: acquirer
merchant bank: acquirer
iss: issuer
issuing bank: issuer
card issuing bank: issuer
cardholder bank: issuer
inop: unavailable
card brand: scheme
card network: scheme
brand: scheme
mc: mastercard
amex: american express
mcrd: mastercard
auth: authorisation
auths: authorisations
authz: authorisation
authorization: authorisation
authorizations: authorisations
authorize: authorise
authorised: authorisation
preauth: authorisation
auth rate: approval rate
acceptance rate: approval rate
success rate: approval rate
conversion: approval rate
says no: declines
refused: declined
refusals: declines
rejections: declines
dnh: do not honour
do not honor: do not honour
nsf: insufficient funds
txn: transaction
txns: transactions
trx: transaction
trxs: transactions
tx: transaction
tpm: transactions per minute
tps: transactions per second
rps: requests per second
qps: requests per second
cust: customer
custs: customers
shopper: customer
shoppers: customers
merch: merchant
mid: merchant
shop: merchant
shops: merchants
rc: response code
resp: response
msg: message
msgs: messages
cfg: configuration
conf: configuration
svc: service
svcs: services
db: database
pg: postgresql
postgres: postgresql
pgbouncer: connection pool
hikari: connection pool
hikaricp: connection pool
conn: connection
conns: connections
standby: replica
secondary: replica
follower: replica
slave: replica
wal: replication
streaming replication: replica lag
k8s: kubernetes
pods: instances
pod: instance
oom: out of memory
oomkilled: out of memory
oomkill: out of memory
oomkiller: out of memory
rss: memory
heap: memory
mem: memory
leak: memory grows
hdd: disk
ssd: disk
no space left: disk full
enospc: disk full
ntp: clock
chrony: clock
chronyd: clock
unsync: clock
drifts: clock skew
dc: data centre
datacenter: data centre
datacentre: data centre
az: region
evacuate: region failover
nxdomain: dns
servfail: dns
coredns: dns
resolver: dns
no such host: dns resolution
name resolution: dns
x509: certificate
cert: certificate
certs: certificates
notafter: certificate expires
mutual tls: mtls
ssl: tls
handshakes: handshake
bad certificate: tls handshake
ca: certificate
throttled: rate limited
throttling: rate limit
ratelimited: rate limited
too many requests: rate limit 429
quota: rate limit
timeouts: timeouts
timeout: timeout
timing out: timeouts
times out: timeout
hang: timeout
hangs: timeout
no answer: timeout
sluggish: latency slow
slow: latency
slower: latency
slowness: latency
laggy: latency
lagging: lag
leased line: link
sign on: link
signon: link sign-on
logon: link sign-on
echo test: link
mq: queue
backlogged: backlog
piling: backlog
pile: backlog
piles up: backlog
piling up: backlog
pile up: backlog
queueing: queue
enqueued: queue
stuck: backlog
outbox: queue backlog
kafka: kafka
offsets: consumer lag
consumer group: consumer lag
rebalancing: consumer
callbacks: webhooks
callback: webhook
notifs: webhooks
notif: webhook
ipn: webhook
hooks: webhooks
cbk: chargeback
cbks: chargebacks
cb: chargeback
chargebk: chargeback
disputed: dispute
retrievals: disputes
representment: chargeback dispute
reimbursement: refund
reimbursements: refunds
money back: refund
moneyback: refund
recon: reconciliation
reconcile: reconciliation
unmatched: reconciliation breaks
do not match: reconciliation breaks
dont match: reconciliation breaks
booking: ledger posting
bookings: ledger postings
booked: posted ledger
journal: ledger
journals: ledger
bookkeeping: ledger
gl: ledger
billed twice: double charge
charged twice: double charge
paid twice: double charge
double billed: double charge
double billing: double charge
double debit: double charge
duplicate charge: double charge
twice: double
idem: idempotency
idempotent: idempotency
dedup: idempotency duplicates
dedupe: idempotency duplicates
eod: end of day batch
cutoff: cut-off
cut off: cut-off
clearing: settlement clearing
clearing file: settlement file
sftp: file
payout: payout
disbursement: payout
disbursements: payouts
remittance: payout
iban: bank account payout
forex: fx
exchange rate: fx rates
exchange rates: fx rates
currency conversion: fx rates
dcc: fx currency conversion
kyc: onboarding verification
kyb: onboarding verification
signup: onboarding
sub merchant: merchant onboarding
activation: onboarding
underwriting: merchant onboarding
pos: terminal
eft: terminal
epos: terminal
pinpad: terminal
pinpads: terminals
tills: terminals
till: terminal
cashier: terminal
checkout lane: terminal
card reader: terminal
card readers: terminals
payshield: hsm
thales: hsm
nshield: hsm
luna: hsm
crypto box: hsm
security module: hsm
pin block: hsm pin
pinblock: hsm pin block
pin translation: hsm pin
zpk: hsm key
zmk: hsm key
lmk: hsm key
kcv: hsm key check value
dek: key
key ceremony: hsm key
key exchange: hsm key
tokenization: tokenisation vault
tokenisation: token vault
tokenize: token vault
detokenize: detokenise token vault
detokenization: token vault
cof: card on file
saved card: card on file token
saved cards: card on file token
acs: access control server
challenge page: acs challenge
creq: acs challenge
cres: acs challenge
areq: 3ds directory server
ares: 3ds directory server
access control server: acs
directory server: 3ds directory
sca: strong authentication 3ds
3d secure: 3ds
threeds: 3ds
3ds2: 3ds
transstatus: 3ds authentication
otp: acs challenge
antifraud: risk fraud
anti fraud: risk fraud
fraud engine: risk scoring rules
scoring: risk scoring
champion: model
challenger: canary model
psi: drift
distribution shift: drift
false positives: risk declines
rule hit: rules engine
velocity rule: rules engine
rule push: rules engine
features: feature store
degraded mode: fallback
default rules: risk fallback
bin attack: card testing
carding: card testing
enumeration: card testing
enumerating: card testing
bots: card testing
bot: card testing
zero auth: card testing
account verification: card testing
cvv mismatch: card testing
backup provider: failover
backup psp: failover
secondary psp: failover
rerouted: failover routes
switched over: failover
switchover: failover
failback: failover back
flash sale: traffic surge
black friday: traffic surge
cyber monday: traffic surge
spike in traffic: traffic surge
autoscaling: traffic surge
autoscaler: traffic surge
hpa: traffic surge
too quiet: volume drop
quiet: volume drop
no traffic: volume drop
rolled out: deployment
rollout: deployment
shipped: deployment
deployed: deployment
release: deployment release
roll back: rollback deployment
rollback: rollback
revert: rollback
new build: deployment
new version: deployment version
5xx: 500 502 503 error rate
internal server error: 500 error rate
internal server errors: 500 error rate
exceptions: errors
scrape: target down
up == 0: target down
not scraped: target down
card numbers: pan card number
account number: pan
credit card numbers: pan card number
leaked: exposed
api key: secret
api token: secret token
private key: secret key
password: secret
credentials: secret
creds: secret
malformed: format error
wrong format: format error
parse error: format error
de: field
elavon: acquirer
worldpay: acquirer
adyen: acquirer
fiserv: acquirer
processor: acquirer
autorisierung: authorisation
autorisierungen: authorisations
autorisation: authorisation
autorisations: authorisations
autorizacion: authorisation
autorizaciones: authorisations
autorizzazione: authorisation
autorizzazioni: authorisations
autorizacao: authorisation
autorisatie: authorisation
autorisaties: authorisations
genehmigungsquote: approval rate
taux d acceptation: approval rate
taux acceptation: approval rate
acceptation: approval
tasa de aprobacion: approval rate
aprobacion: approval
abgelehnt: declined
ablehnung: decline
ablehnungen: declines
ablehnungsquote: decline rate
refus: declines
refuse: declined
refusees: declined
refuses: declined
rechazo: decline
rechazos: declines
rechazadas: declined
rechazada: declined
denegadas: declined
rifiutate: declined
rifiuti: declines
recusadas: declined
geweigerd: declined
weigeringen: declines
zahlung: payment
zahlungen: payments
paiement: payment
paiements: payments
pago: payment
pagos: payments
pagamento: payment
pagamenti: payments
pagamentos: payments
betaling: payment
betalingen: payments
karte: card
karten: cards
carte: card
cartes: cards
tarjeta: card
tarjetas: cards
carta: card
cartao: card
cartoes: cards
kaart: card
kaarten: cards
banque: bank issuer
banco: bank issuer
banca: bank issuer
haendler: merchant
handler: merchant
commercant: merchant
commercants: merchants
comercio: merchant
comercios: merchants
esercente: merchant
kunde: customer
kunden: customers
clientes: customers
klanten: customers
kartenterminal: terminal offline
kartenterminals: terminals
bezahlterminal: terminal
terminaux: terminals
terminales: terminals
filiale: store
filialen: stores
magasins: stores
tiendas: stores
erstattung: refund
erstattungen: refunds
rueckerstattung: refund
ruckerstattung: refund
gutschrift: refund
gutschriften: refunds
remboursement: refund
remboursements: refunds
reembolso: refund
reembolsos: refunds
rimborso: refund
rimborsi: refunds
terugbetaling: refund
terugbetalingen: refunds
rueckbuchung: chargeback
ruckbuchung: chargeback
ruckbuchungen: chargebacks
impaye: chargeback
impayes: chargebacks
contracargo: chargeback
contracargos: chargebacks
doppelt: double
doppelt abgebucht: double charge
doppelbuchung: double charge
deux fois: double charge
dos veces: double charge
due volte: double charge
abrechnung: settlement
abrechnungsdatei: settlement file
compensation: settlement clearing
liquidacion: settlement
regolamento: settlement
afrekening: settlement
fichier: file
fichero: file
archivo: file
datei: file
fehlt: late missing
manquant: late missing
falta: late missing
verspatet: late
en retard: late
retard: late
auszahlung: payout
auszahlungen: payouts
virement: payout
virements: payouts
transferencias: payouts
bonifici: payouts
uitbetaling: payout
uitbetalingen: payouts
zertifikat: certificate
zertifikate: certificates
certificat: certificate
certificado: certificate
certificato: certificate
abgelaufen: expired
lauft ab: expires
expire: expires
caduca: expires
caducado: expired
langsam: slow latency
lent: slow latency
lente: slow latency
lento: slow latency
traag: slow latency
ausfall: outage unavailable
ausgefallen: outage down
panne: outage unavailable
caida: outage down
caido: down
storing: outage
guasto: outage
nicht erreichbar: unavailable
antwortet nicht: timeout
repond pas: timeout
no responde: timeout
no pasan: declined
file d attente: queue
warteschlange: queue
cola: queue
wachtrij: queue
bloque: backlog
bloques: backlog
bloqueados: backlog
hangt: backlog
speicher: memory
memoire: memory
memoria: memory
geheugen: memory
festplatte: disk
disque: disk
disco: disk
schijf: disk
voll: full
plein: full
lleno: full
datenbank: database
base de donnees: database
base de datos: database
wechselkurs: fx rates
wechselkurse: fx rates
taux de change: fx rates
tipo de cambio: fx rates
uhrzeit: clock
horloge: clock
reloj: clock
schlussel: key
cle: key
clave: key
kartennummer: card number pan
kartennummern: card numbers pan
numero de tarjeta: card number pan
numero de carte: card number pan
betrug: fraud
fraude: fraud
regel: rule
regeln: rules
regle: rule
regles: rules
regla: rule
reglas: rules
chute: drop
einbruch: drop
gefallen: drop
baisse: drop
bajada: drop
caduto: drop
erreur: error
erreurs: errors
fehler: error
errores: errors
errori: errors
fouten: errors
verbindung: connection link
connexion: connection link
conexion: connection link
lastspitze: traffic surge
"""
