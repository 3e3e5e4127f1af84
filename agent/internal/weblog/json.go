package weblog

import (
	"bytes"

	"github.com/pialert/pialert/agent/internal/value"
)

// JSON reads a request of an access log in JSON: Caddy's (modules/caddyhttp/marshalers.go), Traefik's
// (pkg/middlewares/accesslog/logdata.go), and nginx' where its log_format names the fields as its
// variables. It reports false for any other object, and for an object that names a field twice: an
// encoder writes none twice, so that a second one would be a client's.
func (a *Access) JSON(line []byte) bool {
	*a = Access{}
	j := jsonLine{text: trimRight(line), access: a}
	if !j.object(atRoot, 0) || j.at != len(j.text) || j.twice || j.other {
		return false
	}
	found := false
	for _, text := range [...][]byte{j.client, j.remote, j.endpoint} {
		peer, ok := parseEither(lastOf(text))
		if ok && !found {
			a.Client, found = peer, true
		}
		if ok && peer.Addr != a.Client.Addr { // the port is a proxy's
			j.port = nil
		}
	}
	if a.Client.Port == 0 {
		a.Client.Port, _ = value.Port(j.port)
	}
	if len(a.User) == 1 && a.User[0] == '-' {
		a.User = nil
	}
	if a.Method == nil && a.Request != nil {
		a.parseRequest(a.Request)
	}
	status, ok := value.Int(j.status, 999)
	a.Status = uint16(status)
	if a.Status == 401 && len(a.User) == 0 && string(j.credentials) == "REDACTED" {
		a.User = j.credentials // a password was sent, unlike before the challenge
	}
	return found && ok && (a.Method != nil || a.Request != nil)
}

// parseEither reads an address with a port or without.
func parseEither(text []byte) (value.Peer, bool) {
	if peer, ok := value.ParsePeer(text); ok {
		return peer, true
	}
	return value.ParsePeerPort(text)
}

// lastOf returns the last address of a list, the one that the nearest proxy added.
func lastOf(list []byte) []byte {
	return bytes.TrimSpace(list[bytes.LastIndexByte(list, ',')+1:])
}

// jsonLine is an object at work.
type jsonLine struct {
	text   []byte
	at     int
	access *Access

	client, remote, endpoint, port, status []byte // who the server says it is, best first
	credentials                            []byte // that a client sent, as Caddy hides them
	twice                                  bool   // a field is there twice
	other                                  bool   // the line is no request, but about one
}

// jsonPlace is an object within the line.
type jsonPlace uint8

const (
	atRoot    jsonPlace = iota
	atRequest           // Caddy's "request"
	atHeaders           // of that
	elsewhere
)

// maxJSONDepth bounds objects within objects.
const maxJSONDepth = 16

func (j *jsonLine) peek() byte {
	for j.at < len(j.text) && (j.text[j.at] == ' ' || j.text[j.at] == '\t') {
		j.at++
	}
	if j.at == len(j.text) {
		return 0
	}
	return j.text[j.at]
}

func (j *jsonLine) take(c byte) bool {
	if j.peek() != c {
		return false
	}
	j.at++
	return true
}

// object reads an object, and notes the fields that tell of a request.
func (j *jsonLine) object(place jsonPlace, depth int) bool {
	if depth > maxJSONDepth || !j.take('{') {
		return false
	}
	if j.take('}') {
		return true
	}
	for {
		name, ok := j.quoted()
		if !ok || !j.take(':') || !j.field(place, name, depth) {
			return false
		}
		if j.take('}') {
			return true
		}
		if !j.take(',') {
			return false
		}
	}
}

// field reads the value of a field.
func (j *jsonLine) field(place jsonPlace, name []byte, depth int) bool {
	within := elsewhere
	switch {
	case place == atRoot && string(name) == "request" && j.peek() == '{':
		within = atRequest
	case place == atRequest && string(name) == "headers":
		within = atHeaders
	}
	text, ok := j.value(within, depth)
	if ok && text != nil {
		j.note(place, name, text)
	}
	return ok
}

// value reads any value. It returns the text of a string or number, of an array that of its first
// element, and nil for the rest.
func (j *jsonLine) value(place jsonPlace, depth int) ([]byte, bool) {
	switch c := j.peek(); {
	case c == '"':
		return j.quoted()
	case c == '{':
		return nil, j.object(place, depth+1)
	case c == '[':
		return j.array(depth)
	default:
		start := j.at
		for j.at < len(j.text) && bytes.IndexByte([]byte(",]} \t"), j.text[j.at]) < 0 {
			j.at++
		}
		word := j.text[start:j.at]
		if len(word) > 0 && (value.Digit(c) || c == '-') {
			return word, true
		}
		return nil, string(word) == "true" || string(word) == "false" || string(word) == "null"
	}
}

func (j *jsonLine) array(depth int) (first []byte, ok bool) {
	if depth > maxJSONDepth || !j.take('[') {
		return nil, false
	}
	if j.take(']') {
		return nil, true
	}
	for n := 0; ; n++ {
		text, ok := j.value(elsewhere, depth+1)
		if !ok {
			return nil, false
		}
		if n == 0 {
			first = text
		}
		if j.take(']') {
			return first, true
		}
		if !j.take(',') {
			return nil, false
		}
	}
}

// quoted reads a string, and returns it as it is written, escapes included.
func (j *jsonLine) quoted() ([]byte, bool) {
	if !j.take('"') {
		return nil, false
	}
	end := unescapedQuote(j.text[j.at:], 0)
	if end < 0 {
		return nil, false
	}
	text := j.text[j.at : j.at+end]
	j.at += end + 1
	return text, true
}

// note stores what a field says, the first time.
func (j *jsonLine) note(place jsonPlace, name, text []byte) {
	into := j.fieldFor(place, name, text)
	switch {
	case into == nil || len(text) == 0:
	case *into != nil:
		j.twice = true
	default:
		*into = text
	}
}

// fieldFor returns where a field of that name belongs.
func (j *jsonLine) fieldFor(place jsonPlace, name, text []byte) *[]byte {
	a := j.access
	switch place {
	case atRoot:
		switch string(name) {
		case "ts", "time", "time_iso8601", "time_local":
			if a.Stamp == nil { // some logs have several
				return &a.Stamp
			}
		case "logger":
			j.other = bytes.HasPrefix(text, []byte("http.log.error"))
		case "status", "DownstreamStatus":
			return &j.status
		case "user_id", "ClientUsername", "remote_user":
			return &a.User
		case "ClientHost":
			return &j.client
		case "remote_addr":
			return &j.remote
		case "ClientAddr":
			return &j.endpoint
		case "ClientPort", "remote_port":
			return &j.port
		case "RequestMethod", "request_method":
			return &a.Method
		case "RequestPath", "request_uri":
			return &a.Target
		case "RequestProtocol", "server_protocol":
			return &a.Proto
		case "RequestHost", "http_host":
			return &a.Host
		case "request":
			return &a.Request
		case "request_User-Agent", "http_user_agent":
			return &a.Agent
		case "request_Referer", "http_referer":
			return &a.Referer
		}
	case atRequest:
		switch string(name) {
		case "client_ip":
			return &j.client
		case "remote_ip":
			return &j.remote
		case "remote_addr":
			return &j.endpoint
		case "remote_port":
			return &j.port
		case "method":
			return &a.Method
		case "uri":
			return &a.Target
		case "proto":
			return &a.Proto
		case "host":
			return &a.Host
		}
	case atHeaders:
		switch string(name) {
		case "User-Agent":
			return &a.Agent
		case "Referer":
			return &a.Referer
		case "Authorization":
			return &j.credentials
		}
	}
	return nil
}
