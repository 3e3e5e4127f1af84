package intake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// MaxEvents bounds the events of one request, MaxBody its length in bytes.
const (
	MaxEvents = 1000
	MaxBody   = 1 << 20
)

// PostRule is the rule of events that name none.
const PostRule = "intake"

// posted is an event as scan prints it. What says where it was seen is left aside.
type posted struct {
	Agent      string                     `json:"agent"`
	Arrived    time.Time                  `json:"arrived"`
	File       string                     `json:"file"`
	Line       uint64                     `json:"line"`
	Time       time.Time                  `json:"time"`
	Kind       attack.Kind                `json:"kind"`
	Rule       string                     `json:"rule"`
	SourceIP   netip.Addr                 `json:"source_ip"`
	SourceHost string                     `json:"source_host"`
	SourcePort uint16                     `json:"source_port"`
	User       string                     `json:"user"`
	Count      *uint64                    `json:"count"`
	Severity   string                     `json:"severity"`
	Host       string                     `json:"host"`
	Detail     map[string]json.RawMessage `json:"detail"`
}

// event makes an event of what was posted.
func (p *posted) event(now time.Time) (*attack.Event, error) {
	e := &attack.Event{
		Kind: p.Kind, Severity: p.Kind.Severity(), Rule: p.Rule, Logged: p.Time, Observed: now, Log: p.File,
		SourceIP: p.SourceIP.Unmap().WithZone(""), SourceHost: p.SourceHost, SourcePort: p.SourcePort,
		User: p.User, Count: 1, Host: p.Host,
	}
	if e.Rule == "" {
		e.Rule = PostRule
	}
	if p.Count != nil {
		e.Count = *p.Count
	}
	if p.Severity != "" {
		severity, err := attack.ParseSeverity(p.Severity)
		if err != nil {
			return nil, errors.New("a severity is unknown")
		}
		e.Severity = severity
	}
	number, ok := detailOf[p.Kind]
	if !ok {
		return nil, errors.New("events of a kind are not taken")
	}
	if p.Detail != nil && number != 0 {
		fields := jsonFields{values: p.Detail}
		e.Detail = attack.Decode(number, &fields)
		if fields.err != nil {
			return nil, fields.err
		}
	}
	if e.Logged.After(now.Add(time.Hour)) {
		return nil, errors.New("a time lies in the future")
	}
	return e, e.Check()
}

// detailOf has the kinds that may be posted, with the number of their details. Episodes are what this
// program finds in events; what it fails at itself is its own to say.
var detailOf = map[attack.Kind]uint8{
	attack.SSHLogin: attack.SSH{}.Number(), attack.SSHProbe: attack.SSH{}.Number(), attack.LocalAuth: attack.Local{}.Number(),
	attack.HTTPAuth: attack.HTTP{}.Number(), attack.WordPressLogin: attack.HTTP{}.Number(), attack.XMLRPC: attack.HTTP{}.Number(),
	attack.HTTPProbe: attack.HTTP{}.Number(), attack.HTTPExploit: attack.HTTP{}.Number(), attack.HTTPMalformed: attack.HTTP{}.Number(),
	attack.Ban: attack.BanInfo{}.Number(), attack.Unban: attack.BanInfo{}.Number(),
	attack.MailLogin: attack.Service{}.Number(), attack.FTPLogin: attack.Service{}.Number(), attack.WebLogin: attack.Service{}.Number(),
	attack.RouterLogin: attack.Service{}.Number(), attack.VPNLogin: attack.Service{}.Number(), attack.MailProbe: attack.Service{}.Number(),
	attack.RemoteLogin: attack.Service{}.Number(), attack.Visit: 0, attack.SSHAccepted: attack.Accepted{}.Number(),
	attack.LoginAccepted: attack.Accepted{}.Number(), attack.Counter: attack.Count{}.Number(), attack.PortProbe: 0,
}

// Takes says whether events of a kind may be posted.
func Takes(kind attack.Kind) bool {
	_, ok := detailOf[kind]
	return ok
}

// parseEvents reads one event, a list of events, or an event on each line. Its errors say nothing that was
// sent.
func parseEvents(body []byte, now time.Time) (events []*attack.Event, err error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	list := bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("["))
	if list {
		if _, err := decoder.Token(); err != nil {
			return nil, errNotJSON
		}
	}
	for decoder.More() {
		if len(events) >= MaxEvents {
			return nil, fmt.Errorf("there are more than %d events", MaxEvents)
		}
		var p posted
		if err := decoder.Decode(&p); err != nil {
			return nil, errNotJSON
		}
		e, err := p.event(now)
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", len(events)+1, plain(err))
		}
		events = append(events, e)
	}
	if list {
		if _, err := decoder.Token(); err != nil {
			return nil, errNotJSON
		}
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errNotJSON
	}
	if len(events) == 0 {
		return nil, errors.New("there is no event")
	}
	return events, nil
}

var errNotJSON = errors.New("it is not JSON with the fields of an event, one, a list, or one a line")

// plain leaves out what an error says of a value, which was sent.
func plain(err error) error {
	if errors.Is(err, attack.ErrInvalid) {
		return errors.New("a field is outside its bounds")
	}
	return err
}

// jsonFields is a codec that sets the fields of a detail from a JSON object. It keeps the first error.
type jsonFields struct {
	values map[string]json.RawMessage
	err    error
}

func (f *jsonFields) read(name string, into any) {
	if raw, ok := f.values[name]; ok && json.Unmarshal(raw, into) != nil && f.err == nil {
		f.err = errors.New("a field of a detail is of another type")
	}
}

func (f *jsonFields) Text(_ int, name string, value *string, _ int) { f.read(name, value) }

func (f *jsonFields) Flag(_ int, name string, value *bool) { f.read(name, value) }

func (f *jsonFields) Number(_ int, name string, value *uint64, most uint64) {
	if f.read(name, value); *value > most && f.err == nil {
		f.err = errors.New("a number of a detail is too large")
	}
}

// Phase and those below it are of episodes, which are not taken.
func (f *jsonFields) Phase(int, string, *attack.Phase) {}

func (f *jsonFields) Network(int, string, *netip.Prefix, bool) {}

func (f *jsonFields) Span(int, string, *time.Duration) {}
