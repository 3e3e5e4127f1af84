package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pialert/pialert/agent/internal/ingest"
	"github.com/pialert/pialert/agent/internal/policy"
	"github.com/pialert/pialert/agent/internal/responder"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/config"
	"github.com/pialert/pialert/pkg/wake"
	"golang.org/x/time/rate"
)

// Responses says who is banned, and how.
type Responses struct {
	// Mode is off, observe (decide, and say what would be done) or enforce (do it).
	Mode string `yaml:"mode"`
	// Socket is the Unix socket of pialert-agent responder, which carries decisions out.
	Socket string `yaml:"socket"`
	// State is the folder in which the responder keeps what was decided.
	State string `yaml:"state"`
	// Ban is how many attempts are too many, and how long a ban lasts.
	Ban policy.Ban `yaml:"ban"`
	// Kinds is what holds for some kinds instead.
	Kinds map[string]policy.Kind `yaml:"kinds"`
	// Network is how many banned neighbours ban their whole network.
	Network policy.Network `yaml:"network"`
	// Allow lists addresses and networks that are never banned.
	Allow []string `yaml:"allow"`
	// Include lists private or other special networks from which attackers can come nevertheless.
	Include []string `yaml:"include"`
	// NFTables is the kernel's firewall as a means; nothing leaves it alone.
	NFTables *NFTables `yaml:"nftables"`
	// HostsDeny is the file that sshd reads where it is linked to libwrap; nothing leaves it alone.
	HostsDeny *HostsDeny `yaml:"hosts_deny"`
	// RouterOS lists MikroTik routers that hold bans in their address lists.
	RouterOS []RouterOS `yaml:"routeros"`
}

// NFTables says what the firewall drops.
type NFTables struct {
	// Forward drops also what is forwarded, such as to the published ports of containers.
	Forward bool `yaml:"forward"`
}

// HostsDeny says which file denies hosts.
type HostsDeny struct {
	// File is /etc/hosts.deny, unless another one is given.
	File string `yaml:"file"`
}

func (h *HostsDeny) path() string {
	if h == nil || h.File == "" {
		return defaultHostsDeny
	}
	return h.File
}

// RouterOS says which router, and which list.
type RouterOS struct {
	// Address is that of the router's service api-ssl, such as 192.0.2.1:8729.
	Address string `yaml:"address"`
	// User is one of the router's, in a group with the policies api, read and write.
	User string `yaml:"user"`
	// PasswordFile is the path of a file with the user's password, which only its owner and group may read.
	PasswordFile string `yaml:"password_file"`
	// Certificate is the router's: sha256: and the hexadecimal digits of its fingerprint.
	Certificate string `yaml:"certificate"`
	// List is the name of the address lists; nothing is pialert.
	List string `yaml:"list"`
}

// defaultHostsDeny is where libwrap looks.
const defaultHostsDeny = "/etc/hosts.deny"

// Modes of responses.
const (
	modeOff     = "off"
	modeObserve = "observe"
	modeEnforce = "enforce"
)

func defaultResponses() Responses {
	rules := policy.Defaults()
	return Responses{
		Mode: modeObserve, Socket: "/run/pialert-responder/responder.sock", State: "/var/lib/pialert/responder",
		Ban: rules.Ban, Kinds: rules.Kinds, Network: rules.Network, NFTables: &NFTables{},
	}
}

func (r *Responses) rules() policy.Config {
	return policy.Config{Ban: r.Ban, Kinds: r.Kinds, Network: r.Network}
}

// validate returns every mistake.
func (r *Responses) validate() error {
	var problems []error
	refuse := func(path string, value any, problem string) {
		problems = append(problems, &config.FieldError{Path: "responses." + path, Value: value, Problem: problem})
	}
	if r.Mode != modeOff && r.Mode != modeObserve && r.Mode != modeEnforce {
		refuse("mode", r.Mode, "use off, observe or enforce")
	}
	if r.Socket == "" || r.State == "" {
		refuse("socket", r.Socket, "give a path; and one to state")
	}
	if r.HostsDeny != nil && r.HostsDeny.File != "" && !filepath.IsAbs(r.HostsDeny.File) {
		refuse("hosts_deny.file", r.HostsDeny.File, "give the whole path, as a rule /etc/hosts.deny")
	}
	for i, one := range r.RouterOS {
		field := func(name string) string { return fmt.Sprintf("routeros[%d].%s", i, name) }
		if _, err := netip.ParseAddrPort(one.Address); err != nil {
			refuse(field("address"), one.Address, "give an address and a port, such as 192.0.2.1:8729")
		}
		if slices.ContainsFunc(r.RouterOS[:i], func(other RouterOS) bool { return other.Address == one.Address }) {
			refuse(field("address"), one.Address, "each router stands here once")
		}
		if one.User == "" {
			refuse(field("user"), one.User, "give the router's user")
		}
		if !filepath.IsAbs(one.PasswordFile) {
			refuse(field("password_file"), one.PasswordFile, "give the whole path of a file with the password")
		}
		if _, err := one.fingerprint(); err != nil {
			refuse(field("certificate"), one.Certificate, err.Error())
		}
	}
	rules := r.rules()
	for _, problem := range rules.Validate() {
		var field *config.FieldError
		if errors.As(problem, &field) {
			refuse(field.Path, field.Value, field.Problem)
		}
	}
	for name, list := range map[string][]string{"allow": r.Allow, "include": r.Include} {
		_, err := networks("responses."+name, list)
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// networks parses a list of addresses and networks; the error names each that is none.
func networks(path string, list []string) ([]netip.Prefix, error) {
	var prefixes []netip.Prefix
	var problems []error
	for i, text := range list {
		prefix, err := netip.ParsePrefix(text)
		if addr, addrErr := netip.ParseAddr(text); addrErr == nil {
			prefix, err = addr.Prefix(addr.BitLen())
		}
		if err != nil {
			problems = append(problems, &config.FieldError{
				Path: fmt.Sprintf("%s[%d]", path, i), Value: text, Problem: "give an address or a network such as 192.0.2.0/24",
			})
			continue
		}
		prefixes = append(prefixes, prefix.Masked())
	}
	return prefixes, errors.Join(problems...)
}

// responses decides about events and hands the decisions to the responder. Its state is committed with
// the events that it rests on.
type responses struct {
	enforce bool
	client  responder.Client
	logger  *slog.Logger
	now     func() time.Time
	add     func(*attack.Event) error // adds an event of a ban

	mu      sync.Mutex
	policy  *policy.Policy
	pending map[string]responder.Request // decisions that the responder has not taken, by target
	moved   map[string]bool              // targets of which that has changed since Changes
	wake    wake.Bell
	stats   ResponseStats
	say     *rate.Limiter // of lines about what would be done
	unsaid  uint64
}

// ResponseStats counts what became of decisions.
type ResponseStats struct {
	Mode    string `json:"mode"`
	Decided uint64 `json:"decided"`         // bans that were decided, or would have been
	Spared  uint64 `json:"spared"`          // bans that were not, since the source is never banned
	Refused uint64 `json:"refused"`         // bans that the responder refused
	Pending int    `json:"pending"`         // bans that the responder has not taken yet
	Error   string `json:"error,omitempty"` // why not
}

// newResponses returns nil where nothing is to be decided.
func newResponses(cfg Responses, never policy.Never, add func(*attack.Event) error, logger *slog.Logger) *responses {
	if cfg.Mode == modeOff {
		return nil
	}
	return &responses{
		enforce: cfg.Mode == modeEnforce, client: responder.Client{Socket: cfg.Socket}, logger: logger, now: time.Now, add: add,
		policy: policy.New(cfg.rules(), never), pending: map[string]responder.Request{}, moved: map[string]bool{}, wake: wake.New(),
		stats: ResponseStats{Mode: cfg.Mode}, say: rate.NewLimiter(rate.Every(time.Minute), 10),
	}
}

// maxPending bounds the decisions that wait for the responder. Above it a source is decided about anew
// when it goes on.
const maxPending = 1 << 12

// look decides about one event.
func (r *responses) look(e *attack.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	decisions, spared := r.policy.Event(e)
	if spared != nil {
		r.stats.Spared++
		r.logger.Debug("would ban, but never does", "source", spared.Source, "because", spared.Why)
	}
	for _, d := range decisions {
		r.stats.Decided++
		if !r.enforce {
			if r.say.AllowN(r.now(), 1) {
				r.logger.Info("would ban", "source", d.Target, "for", d.For, "because", d.Reason, "others before, not logged", r.unsaid)
				r.unsaid = 0
			} else {
				r.unsaid++
			}
			continue
		}
		if len(r.pending) >= maxPending {
			r.policy.Lift(d.Target)
			continue
		}
		key := d.Target.String()
		r.pending[key] = responder.Request{
			Target: d.Target, For: d.For, Reason: d.Reason,
			Evidence: fmt.Sprintf("%s of rule %s in %s, from %s to %s", d.Evidence.Kind, d.Evidence.Rule, d.Evidence.Log,
				d.Evidence.First.UTC().Format(time.RFC3339), d.Evidence.Last.UTC().Format(time.RFC3339)),
		}
		r.moved[key] = true
		r.wake.Ring()
	}
}

// Keys of what is kept beside detection's memory.
const (
	policyKey  = "\x00responses/source/"
	pendingKey = "\x00responses/pending/"
)

// Changes visits what is to be committed with the events.
func (r *responses) Changes(visit func(key string, value []byte)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.policy.Changes(func(key string, value []byte) { visit(policyKey+key, value) })
	for key := range r.moved {
		request, ok := r.pending[key]
		if !ok {
			visit(pendingKey+key, nil)
			continue
		}
		if value, err := json.Marshal(request); err == nil {
			visit(pendingKey+key, value)
		}
	}
	clear(r.moved)
}

// Restore takes back what Changes visited, and says whether the key was one of its own.
func (r *responses) Restore(key string, value []byte) (own bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if source, ok := strings.CutPrefix(key, policyKey); ok {
		return true, r.policy.Restore(source, value)
	}
	target, ok := strings.CutPrefix(key, pendingKey)
	if !ok {
		return false, nil
	}
	var request responder.Request
	if err := json.Unmarshal(value, &request); err != nil {
		return true, fmt.Errorf("cannot read a decision about %s: %w", target, err)
	}
	r.pending[target] = request
	return true, nil
}

// retryResponder is the pause after the responder could not be asked.
const retryResponder = time.Second

// Run hands decisions over until ctx ends.
func (r *responses) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		err := r.handOver(ctx)
		r.mu.Lock()
		failed := err != nil && r.stats.Error == ""
		if r.stats.Error = ""; err != nil {
			r.stats.Error = err.Error()
		}
		r.mu.Unlock()
		if failed && ctx.Err() == nil {
			r.logger.Error("the responder takes no decisions; they wait", "error", err)
		}
		if err == nil {
			select {
			case <-ctx.Done():
			case <-r.wake:
			}
			continue
		}
		retry := time.NewTimer(retryResponder)
		select {
		case <-ctx.Done():
		case <-retry.C:
		}
		retry.Stop()
	}
	return nil
}

// handOver gives every pending decision to the responder. One that it refuses is dropped: asking again
// would not help.
func (r *responses) handOver(ctx context.Context) error {
	for {
		key, request, ok := r.next()
		if !ok {
			return nil
		}
		ban, err := r.client.Ban(ctx, request)
		refused := err != nil && strings.HasPrefix(err.Error(), responder.ErrRefused.Error())
		if err != nil && !refused {
			return err
		}
		r.mu.Lock()
		delete(r.pending, key)
		r.moved[key] = true
		if refused {
			r.stats.Refused++
			r.policy.Lift(request.Target)
		}
		r.mu.Unlock()
		if refused {
			r.logger.Warn("the responder refused to ban", "source", request.Target, "error", err)
			continue
		}
		r.logger.Info("banned", "source", ban.Target, "until", ban.Until, "because", ban.Reason)
		if err := r.add(banEvent(attack.Ban, ban.Target, r.now())); err != nil {
			r.logger.Warn("cannot tell of a ban", "source", ban.Target, "error", err)
		}
	}
}

func (r *responses) next() (key string, request responder.Request, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, request := range r.pending {
		return key, request, true
	}
	return "", request, false
}

// jail is what events call the list of these bans.
const jail = "pialert"

// banEvent says that a source was banned, or let in again.
func banEvent(kind attack.Kind, target netip.Prefix, now time.Time) *attack.Event {
	e := &attack.Event{Kind: kind, Severity: kind.Severity(), Rule: "responses", Log: "responses", Observed: now, Count: 1, Detail: attack.BanInfo{Jail: jail}}
	if target.Addr().Is4() && target.Bits() == 32 {
		e.SourceIP = target.Addr()
	} else {
		e.SourceHost = target.String()
	}
	return e
}

// lift forgets a source's ban, as a person lifted it.
func (r *responses) lift(target netip.Prefix) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.policy.Lift(target)
}

func (r *responses) status() ResponseStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	stats := r.stats
	stats.Pending = len(r.pending)
	return stats
}

// responding is a detector that also keeps what responses remember.
type responding struct {
	ingest.Detector
	responses *responses
}

// Restore implements [ingest.Detector].
func (d responding) Restore(key string, value []byte) error {
	if own, err := d.responses.Restore(key, value); own {
		return err
	}
	return d.Detector.Restore(key, value)
}

// Changes implements [ingest.Detector].
func (d responding) Changes(visit func(key string, value []byte)) {
	d.Detector.Changes(visit)
	d.responses.Changes(visit)
}
