// Package messages is the inventory of what daemons write to logs about failed, refused or
// suspicious logins, requests and connections, read from the daemons' own sources.
//
// Each *.yaml is one daemon: every such message it has, where its source has it, in which versions,
// what a client controls in it, and either the rule that takes it or the reason why it is no
// attack. It holds facts about formats, and no text of a log. [File] describes the form.
//
// [Message.Fill] writes a message as the daemon would, with any values a client may choose. The
// detection's tests feed these lines to the engine and compare what comes out with what went in,
// so a rule that fits sample lines only does not pass.
//
// The package knows no rules and reads no logs.
package messages

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/pialert/pialert/pkg/attack"
)

//go:embed *.yaml
var inventory embed.FS

// File is what one daemon can write.
type File struct {
	Daemon string `yaml:"daemon"` // name in the table
	// Read are the releases and patches whose sources were read.
	Read []string `yaml:"read"`
	// Type is the type of the log, as in a source's configuration; default auto.
	Type string `yaml:"type"`
	// Forms are whole lines in which a message may stand, with {message} for it, and {addr} and {port}
	// where the daemon puts the peer's. The first is the usual one. Default: as syslog writes it
	// under Tag.
	Forms []string `yaml:"forms"`
	Tag   string   `yaml:"tag"`
	// Peer is a message that names the address of the connection. It stands before each message
	// that names none.
	Peer string `yaml:"peer"`
	// Escape is how the daemon writes what a client sent; see [Escapes].
	Escape string `yaml:"escape"`
	// Longest is how many bytes of a message the daemon writes; 0 means all.
	Longest int `yaml:"longest"`
	// Allows is a regular expression of the user names that the daemon takes. Another name is
	// refused before this message could be written.
	Allows string `yaml:"allows"`
	// Values are what the daemon itself may write at a placeholder.
	Values   map[string][]string `yaml:"values"`
	Messages []*Message          `yaml:"messages"`
}

// Message is one message of a daemon. Type, Tag, Forms, Peer, Escape, Longest, Allows and Values are
// those of the file unless it has its own.
type Message struct {
	// Format is the text of the message. In braces stand alternatives, one of which the daemon
	// writes ("{closed|reset}", "{|invalid user }"), or one of these placeholders. A number behind
	// a colon, as in {user:100}, is how many bytes the daemon writes at most.
	//
	//	{addr}     the peer's address
	//	{host}     the peer's name by the name service, or its address: the client chooses the name
	//	{port}     the peer's port
	//	{endpoint} the peer's address and port, an IPv6 address in brackets
	//	{user}     account that the client named: any text
	//	{account}  account that exists
	//	{text}     any other text by the client
	//	{word}     a text by the client in which the daemon allows no white space
	//	{count}    attempts that the message stands for
	//	{NAME}     one of the values under that name
	Format string `yaml:"format"`
	Where  string `yaml:"where"`  // file and function of the daemon's source
	Since  string `yaml:"since"`  // release that first has it; empty if the oldest that was read has it
	Until  string `yaml:"until"`  // release that last has it; empty if the newest has it
	Level  string `yaml:"level"`  // log level or setting without which the daemon is silent about it
	Sample string `yaml:"sample"` // a line that a daemon really wrote; see [Message.Line] for one that is filled in

	// Rule are the ids of the rules of which one takes the message, empty if none does.
	Rule list `yaml:"rule"`
	// Kind is what one message by itself, at the end of its connection, is an attack of. It is empty
	// if Benign says why it is none.
	Kind   string `yaml:"kind"`
	Benign string `yaml:"benign"`
	// Hides are the fields, of addr and user, that cannot be told from the message although it has
	// them, because a client's text stands where they would.
	Hides []string `yaml:"hides"`
	// Doubtful says that some texts of a client make the message ambiguous: then it may count
	// nothing, and another line of the same attempt has to.
	Doubtful bool `yaml:"doubtful"`
	// User is the account that must come out where the message's own words name it.
	User string `yaml:"user"`
	Note string `yaml:"note"`

	Type    string              `yaml:"type"`
	Tag     string              `yaml:"tag"`
	Forms   []string            `yaml:"forms"`
	Peer    string              `yaml:"peer"`
	Escape  string              `yaml:"escape"`
	Longest int                 `yaml:"longest"`
	Allows  string              `yaml:"allows"`
	Values  map[string][]string `yaml:"values"`

	Daemon string `yaml:"-"`
	parts  []part
	allows *regexp.Regexp
}

// list is one text or several.
type list []string

// UnmarshalYAML accepts a bare text, too.
func (l *list) UnmarshalYAML(node ast.Node) error {
	if text, ok := node.(*ast.StringNode); ok {
		*l = list{text.Value}
		return nil
	}
	return yaml.NodeToValue(node, (*[]string)(l), yaml.Strict())
}

// Load reads the inventory, in the order of the daemons' names.
func Load() ([]*File, error) { return load(inventory) }

func load(dir fs.FS) ([]*File, error) {
	names, err := fs.Glob(dir, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("cannot list the messages: %w", err)
	}
	var files []*File
	var problems []error
	for _, name := range names {
		file, err := read(dir, name)
		if err != nil {
			problems = append(problems, fmt.Errorf("cannot load the messages of %s: %w", name, err))
		}
		files = append(files, file)
	}
	return files, errors.Join(problems...)
}

func read(dir fs.FS, name string) (*File, error) {
	text, err := fs.ReadFile(dir, name)
	if err != nil {
		return nil, err
	}
	var f File
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&f); err != nil {
		return nil, err
	}
	var problems []error
	if f.Daemon == "" || len(f.Read) == 0 || len(f.Messages) == 0 {
		problems = append(problems, errors.New("daemon, read and messages must not be empty"))
	}
	for i, m := range f.Messages {
		if m == nil {
			return nil, fmt.Errorf("message %d is empty", i+1)
		}
		if err := f.complete(m); err != nil {
			problems = append(problems, fmt.Errorf("message %q: %w", m.Format, err))
		}
	}
	return &f, errors.Join(problems...)
}

// complete gives a message what it left to its file, and checks it.
func (f *File) complete(m *Message) error {
	m.Daemon = f.Daemon
	m.Type = cmp.Or(m.Type, f.Type, "auto")
	m.Peer = cmp.Or(m.Peer, f.Peer)
	m.Escape = cmp.Or(m.Escape, f.Escape, "none")
	m.Longest = cmp.Or(m.Longest, f.Longest)
	m.Allows = cmp.Or(m.Allows, f.Allows)
	if m.Forms == nil && m.Tag == "" {
		m.Forms = f.Forms
	}
	if m.Tag = cmp.Or(m.Tag, f.Tag, f.Daemon); m.Forms == nil {
		m.Forms = []string{"Jan 31 12:00:00 host " + m.Tag + "[4711]: {message}"}
	}
	values := map[string][]string{}
	for _, own := range []map[string][]string{f.Values, m.Values} {
		for name, list := range own {
			values[name] = list
		}
	}
	m.Values = values

	var problems []error
	if m.Where == "" {
		problems = append(problems, errors.New("where is missing: which file and function of the source?"))
	}
	if (m.Kind == "") == (m.Benign == "") {
		problems = append(problems, errors.New("give either kind or benign"))
	}
	if _, err := attack.ParseKind(m.Kind); m.Kind != "" && err != nil {
		problems = append(problems, err)
	}
	if m.Kind != "" && len(m.Rule) == 0 {
		problems = append(problems, errors.New("rule is missing: which one takes it?"))
	}
	if escapes[m.Escape] == nil {
		problems = append(problems, fmt.Errorf("escape %q is unknown: use one of %v", m.Escape, Escapes()))
	}
	for _, field := range m.Hides {
		if field != "addr" && field != "user" {
			problems = append(problems, fmt.Errorf("hides %q: only addr and user can be hidden", field))
		}
	}
	allows, err := regexp.Compile("^(?:" + cmp.Or(m.Allows, "(?s).*") + ")$")
	problems = append(problems, err)
	m.allows = allows
	parts, err := parse(m.Format, m.Values)
	problems = append(problems, err)
	m.parts = parts
	for _, form := range m.Forms {
		if strings.Count(form, "{message}") != 1 {
			problems = append(problems, fmt.Errorf("form %q: {message} must stand in it once", form))
		}
	}
	return errors.Join(problems...)
}

// Attack says whether the message tells of an attack.
func (m *Message) Attack() bool { return m.Kind != "" }

// Controlled lists the placeholders at which a client chooses the text.
func (m *Message) Controlled() []string {
	var names []string
	for _, p := range m.parts {
		if p.controlled() && !slices.Contains(names, p.name) {
			names = append(names, p.name)
		}
	}
	return names
}

// Has says whether the format has a placeholder.
func (m *Message) Has(name string) bool {
	return slices.ContainsFunc(m.parts, func(p part) bool { return p.name == name })
}
