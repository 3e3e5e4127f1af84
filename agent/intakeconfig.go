package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/pialert/pialert/agent/internal/intake"
	"github.com/pialert/pialert/agent/internal/mtls"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/config"
)

// Intake is where programs elsewhere report over HTTP.
type Intake struct {
	// Listen is the address that serves it, such as 127.0.0.1:9479; empty serves none.
	Listen string `yaml:"listen"`
	// From lists the addresses and networks that may ask; nothing lets everybody who can reach it.
	From []string `yaml:"from"`
	// Certificate and Key are the PEM files that encrypt it. Without them it must be on this machine alone,
	// or from must say who may ask.
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
	// Authority is the PEM file of the authority that signed the certificates of clients that are listed by
	// their names.
	Authority string `yaml:"authority"`
	// Clients lists the clients that may connect: names in their certificates, or SHA-256 fingerprints of
	// these. Nothing asks for no certificate.
	Clients []string `yaml:"clients"`
	// Tokens lists who may report what.
	Tokens []IntakeToken `yaml:"tokens"`
	// Paths has the old URLs, such as red, and what each call of one is.
	Paths map[string]IntakePath `yaml:"paths"`
	// Counters lists the keys that /count/KEY counts.
	Counters []string `yaml:"counters"`
}

// IntakeToken lets somebody report.
type IntakeToken struct {
	// Name is what people call it, and the user of basic authentication.
	Name string `yaml:"name"`
	// Token is the secret, of 16 characters at least.
	Token config.Secret `yaml:"token"`
	// TokenFile holds the secret instead; see the notices' secrets.
	TokenFile string `yaml:"token_file"`
	// Host is the machine that its events are of.
	Host string `yaml:"host"`
	// Kinds lists the kinds that it may report.
	Kinds []string `yaml:"kinds"`
}

// IntakePath is what each call of an old URL is.
type IntakePath struct {
	// Kind is the kind of its events.
	Kind string `yaml:"kind"`
	// Host is the machine that they are of, if it is not the token's.
	Host string `yaml:"host"`
}

// openSecrets says which tokens stand in a configuration that everybody on this machine can read, as it is so
// that people can ask and report without being root.
func (c *Intake) openSecrets(path string) (warnings []string) {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o004 == 0 {
		return nil
	}
	for i, token := range c.Tokens {
		if token.Token != "" {
			warnings = append(warnings, fmt.Sprintf("intake.tokens[%d].token: everybody on this machine can read %s: put the token into a token_file", i, path))
		}
	}
	return warnings
}

// minToken is the length of the shortest token, which nobody guesses.
const minToken = 16

func defaultIntake() Intake {
	return Intake{Paths: map[string]IntakePath{
		"red": {Kind: attack.SSHLogin.String()}, "purple": {Kind: attack.SSHLogin.String()},
		"blue": {Kind: attack.WordPressLogin.String()}, "green": {Kind: attack.HTTPProbe.String()},
	}}
}

func (c *Intake) serving() *mtls.Server {
	return &mtls.Server{Certificate: c.Certificate, Key: c.Key, Authority: c.Authority, Clients: c.Clients}
}

// validate returns every mistake.
func (c *Intake) validate(refuse func(field string, value any, problem string)) {
	if c.Listen == "" {
		return
	}
	if !config.Listenable(c.Listen) {
		refuse("listen", c.Listen, "give an address such as 127.0.0.1:9479")
	} else if c.Certificate == "" && len(c.From) == 0 && !onlyLocal(c.Listen) {
		refuse("listen", c.Listen, "others can reach this: give certificate and key, or say from where it may be asked")
	}
	if _, err := networks("from", c.From); err != nil {
		refuse("from", strings.Join(c.From, ", "), "give addresses and networks such as 192.0.2.0/24")
	}
	c.serving().Check(c.Certificate != "" || c.Key != "", refuse)
	if len(c.Tokens) == 0 {
		refuse("tokens", "none", "give a token at least")
	}
	names := map[string]bool{}
	for i, token := range c.Tokens {
		field := func(name string) string { return fmt.Sprintf("tokens[%d].%s", i, name) }
		if token.Name == "" || len(token.Name) > attack.MaxWord || strings.ContainsRune(token.Name, ':') || names[token.Name] {
			refuse(field("name"), token.Name, "give each token a name of its own, without colons")
		}
		names[token.Name] = true
		if given := token.Token.Reveal(); token.TokenFile == "" && len(given) < minToken {
			refuse(field("token"), token.Token, fmt.Sprintf("give %d characters at least, such as openssl rand -hex 16 prints, or a token_file", minToken))
		} else if token.TokenFile != "" && given != "" {
			refuse(field("token"), token.Token, config.ErrTwoSecrets.Error())
		}
		if token.Host == "" || len(token.Host) > attack.MaxName {
			refuse(field("host"), token.Host, "name the machine that its events are of")
		}
		if len(token.Kinds) == 0 {
			refuse(field("kinds"), "none", "list the kinds that it may report")
		}
		for _, name := range token.Kinds {
			if kind, err := attack.ParseKind(name); err != nil || !intake.Takes(kind) {
				refuse(field("kinds"), name, "it is no kind that can be reported")
			}
		}
	}
	for name, path := range c.Paths {
		if name == "" || strings.ContainsAny(name, "/?#%") || strings.HasPrefix(name, "v1") {
			refuse("paths", name, "use a word, such as red")
		}
		if kind, err := attack.ParseKind(path.Kind); err != nil || !intake.Takes(kind) {
			refuse("paths."+name+".kind", path.Kind, "it is no kind that can be reported")
		}
	}
	for i, key := range c.Counters {
		if key == "" || len(key) > attack.MaxWord || strings.ContainsFunc(key, func(r rune) bool { return !isNameRune(r) }) {
			refuse(fmt.Sprintf("counters[%d]", i), key, "use up to 64 letters, digits, dots, hyphens and underscores")
		}
	}
}
