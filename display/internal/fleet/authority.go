package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/pialert/pialert/pkg/broker"
	"github.com/pialert/pialert/pkg/pairing"
	"github.com/pialert/pialert/pkg/private"
)

// ErrNone says that there is no authority in a folder.
var ErrNone = errors.New("no fleet was begun here")

// Settings are what a fleet's machines have to know of its broker.
type Settings struct {
	Servers    []string `json:"servers"` // as tls://HOST:PORT
	Stream     string   `json:"stream"`
	CA         []byte   `json:"ca"` // PEM
	MaxBytes   int64    `json:"max_bytes"`
	SyncAlways bool     `json:"sync_always"`
}

// authorityKeys are the seeds of the keys that sign, as NATS writes them, and the key of the CA in PEM.
type authorityKeys struct {
	Operator, Account, System, SystemUser string
	CA                                    []byte
}

// Authority is an owner's authority over a broker.
type Authority struct {
	dir private.Dir
	Settings
	keys authorityKeys
}

// Open reads the authority in a folder; the error is [ErrNone] if there is none.
func Open(dir string) (*Authority, error) {
	a := &Authority{dir: private.Dir(dir)}
	for name, into := range map[string]any{settingsFile: &a.Settings, keysFile: &a.keys} {
		data, err := a.dir.Read(name, maxFile)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, ErrNone
		}
		if err == nil {
			err = json.Unmarshal(data, into)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the fleet's keys: %w", err)
		}
	}
	return a, nil
}

// Begin makes an authority in a folder that has none.
func Begin(dir string, s Settings, now time.Time) (*Authority, error) {
	a := &Authority{dir: private.Dir(dir), Settings: s}
	unlock, err := a.dir.Lock(lockFile)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if _, err := Open(dir); !errors.Is(err, ErrNone) {
		return nil, errors.Join(err, fs.ErrExist)
	}
	for into, create := range map[*string]func() (nkeys.KeyPair, error){
		&a.keys.Operator: nkeys.CreateOperator, &a.keys.Account: nkeys.CreateAccount,
		&a.keys.System: nkeys.CreateAccount, &a.keys.SystemUser: nkeys.CreateUser,
	} {
		pair, err := create()
		if err != nil {
			return nil, err
		}
		seed, err := pair.Seed()
		if err != nil {
			return nil, err
		}
		*into = string(seed)
	}
	if a.CA, a.keys.CA, err = newCA(now); err != nil {
		return nil, err
	}
	system, err := a.userFor(a.keys.System, a.keys.SystemUser, "pialert-system", jwt.Permissions{})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(a.write(settingsFile, a.Settings), a.write(keysFile, a.keys)); err != nil {
		return nil, err
	}
	return a, a.dir.Write(systemFile, system)
}

// ErrLess says that a server's room may grow, but not shrink.
var ErrLess = errors.New("a server that has less room than its stream does not open it, and what waits there would be lost")

// Change changes what the servers of the fleet do once they are started with what [Authority.Server] returns then.
func (a *Authority) Change(maxBytes int64, syncAlways bool) error {
	if maxBytes < a.MaxBytes {
		return ErrLess
	}
	unlock, err := a.dir.Lock(lockFile)
	if err != nil {
		return err
	}
	defer unlock()
	a.MaxBytes, a.SyncAlways = maxBytes, syncAlways
	return a.write(settingsFile, a.Settings)
}

func (a *Authority) write(name string, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return a.dir.Write(name, append(data, '\n'))
}

// SystemCredentials is the file with which the server is asked how it keeps its files.
func (a *Authority) SystemCredentials() string { return a.dir.Path(systemFile) }

// Display writes the credentials of the display with a key, and returns the name of their file.
func (a *Authority) Display(name string, key pairing.Fingerprint) (file string, err error) {
	id := broker.DisplayID(key)
	user, err := nkeys.CreateUser()
	if err != nil {
		return "", err
	}
	seed, err := user.Seed()
	if err != nil {
		return "", err
	}
	var may jwt.Permissions
	may.Pub.Allow.Add(broker.Subject(broker.Receipts, broker.Any, id), broker.Of(broker.Ticks, id), "_INBOX.>", "$JS.ACK.>", "$JS.API.>")
	may.Pub.Deny.Add("$JS.API.STREAM.DELETE.>", "$JS.API.STREAM.PURGE.>", "$JS.API.STREAM.MSG.DELETE.>")
	may.Sub.Allow.Add(broker.Subject(broker.Beats, id, broker.Any), broker.Subject(broker.Join, id, broker.Any), broker.Of(broker.Key, id),
		broker.Inbox(id)+".>")
	creds, err := a.userFor(a.keys.Account, string(seed), "display "+name, may)
	if err != nil {
		return "", err
	}
	return a.dir.Path(displayFile), a.dir.Write(displayFile, creds)
}

// agent returns the credentials of a new agent.
func (a *Authority) agent(name string) (broker.Credentials, broker.ID, error) {
	user, err := nkeys.CreateUser()
	if err != nil {
		return broker.Credentials{}, "", err
	}
	public, err := user.PublicKey()
	if err != nil {
		return broker.Credentials{}, "", err
	}
	seed, err := user.Seed()
	if err != nil {
		return broker.Credentials{}, "", err
	}
	id := broker.ID(public)
	var may jwt.Permissions
	may.Pub.Allow.Add(broker.Subject(broker.Events, broker.Any, id), broker.Subject(broker.Beats, broker.Any, id),
		broker.Subject(broker.Join, broker.Any, id), broker.Of(broker.Key, broker.Any))
	may.Sub.Allow.Add(broker.Subject(broker.Receipts, id, broker.Any), broker.Of(broker.Ticks, broker.Any), broker.Inbox(id)+".>")
	token, err := a.sign(a.keys.Account, public, "agent "+name, may)
	return broker.Credentials{JWT: []byte(token), Seed: seed}, id, err
}

// userFor returns a .creds file of a user of an account.
func (a *Authority) userFor(account, seed, name string, may jwt.Permissions) ([]byte, error) {
	user, err := nkeys.FromSeed([]byte(seed))
	if err != nil {
		return nil, err
	}
	public, err := user.PublicKey()
	if err != nil {
		return nil, err
	}
	token, err := a.sign(account, public, name, may)
	if err != nil {
		return nil, err
	}
	return jwt.FormatUserConfig(token, []byte(seed))
}

// sign returns the JWT by which an account lets a user do what it may.
func (a *Authority) sign(account, user, name string, may jwt.Permissions) (string, error) {
	signer, err := nkeys.FromSeed([]byte(account))
	if err != nil {
		return "", err
	}
	claims := jwt.NewUserClaims(user)
	claims.Name, claims.Permissions = name, may
	return claims.Encode(signer)
}

// maxConnections is how many machines an account may have connected at a time.
const maxConnections = 200_000

// accounts returns the operator's JWT, and the accounts' by their public keys.
func (a *Authority) accounts() (operator string, system string, tokens map[string]string, err error) {
	signer, err := nkeys.FromSeed([]byte(a.keys.Operator))
	if err != nil {
		return "", "", nil, err
	}
	root, err := signer.PublicKey()
	if err != nil {
		return "", "", nil, err
	}
	issued, err := a.issued()
	if err != nil {
		return "", "", nil, err
	}
	revoked := issued.Revoked
	tokens = map[string]string{}
	for _, account := range []struct {
		name, seed string
		streams    bool
	}{{"pialert", a.keys.Account, true}, {"pialert-system", a.keys.System, false}} {
		pair, err := nkeys.FromSeed([]byte(account.seed))
		if err != nil {
			return "", "", nil, err
		}
		public, err := pair.PublicKey()
		if err != nil {
			return "", "", nil, err
		}
		claims := jwt.NewAccountClaims(public)
		claims.Name = account.name
		claims.Limits.Conn = maxConnections
		claims.Limits.Payload = broker.MaxMessage
		if account.streams {
			// The server's max_file is the limit: with one here as well a server adds what the stream has reserved to
			// it whenever it looks at the account again, finds that too much, and turns JetStream off.
			claims.Limits.DiskStorage, claims.Limits.Streams, claims.Limits.Consumer = jwt.NoLimit, 1, -1
			for id, at := range revoked {
				claims.RevokeAt(string(id), at)
			}
		} else {
			system = public
		}
		if tokens[public], err = claims.Encode(signer); err != nil {
			return "", "", nil, err
		}
	}
	operator, err = a.operator(signer, root, system)
	return operator, system, tokens, err
}

// operator returns the operator's JWT, the same each time: a server that runs reads no other one.
func (a *Authority) operator(signer nkeys.KeyPair, root, system string) (string, error) {
	kept, err := a.dir.Read(operatorFile, maxFile)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return string(kept), err
	}
	claims := jwt.NewOperatorClaims(root)
	claims.Name, claims.SystemAccount = "pialert", system
	token, err := claims.Encode(signer)
	if err != nil {
		return "", err
	}
	return token, a.dir.Write(operatorFile, []byte(token))
}
