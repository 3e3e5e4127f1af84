package broker

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/pialert/pialert/pkg/config"
)

// Dial is what configurations call this way of coming together.
const Dial = "nats"

// Config says where the broker is, and who this machine is there.
type Config struct {
	// Servers are the NATS servers, as tls://HOST:4222; the others of a cluster are found through any of
	// them. With nats:// in place of tls:// whoever listens on the way sees who talks, though
	// nothing of what is said.
	Servers []string `yaml:"servers"`
	// CA is a file with the certificate that the servers' certificates are signed by; empty asks the
	// system's authorities.
	CA string `yaml:"ca"`
	// Credentials is the .creds file by which the servers know this machine.
	Credentials string `yaml:"credentials"`
	// Stream is the name of the JetStream stream that keeps events.
	Stream string `yaml:"stream"`
}

// For returns c if agents and displays come together by the broker, as dial says, and nil otherwise.
func (c Config) For(dial string) *Config {
	if dial != Dial {
		return nil
	}
	return &c
}

// Defaults are those of a Config.
func Defaults() Config { return Config{Stream: "pialert"} }

// Check returns every field that cannot be used, as [config.FieldError] below a path.
func (c Config) Check(path string) error {
	var problems []error
	refuse := func(field string, value any, problem string) {
		problems = append(problems, &config.FieldError{Path: path + "." + field, Value: value, Problem: problem})
	}
	if len(c.Servers) == 0 {
		refuse("servers", "none", "give at least one server, such as tls://nats.example.org:4222")
	}
	for _, server := range c.Servers {
		if err := CheckServer(server); err != nil {
			refuse("servers", server, err.Error())
		}
	}
	if c.Stream == "" || strings.ContainsAny(c.Stream, ".*> \t/\\") {
		refuse("stream", c.Stream, "give a name without dots, stars and spaces, such as pialert")
	}
	return errors.Join(problems...)
}

// CheckServer returns what is wrong with the address of a server, or nil.
func CheckServer(server string) error {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || u.Scheme != "tls" && u.Scheme != "nats" || u.User != nil || u.Path != "" || u.RawQuery != "" {
		return fmt.Errorf("write tls://HOST:4222")
	}
	return nil
}

// readable returns an error that says which file of the configuration cannot be read, or nil.
func (c Config) readable() error {
	for _, file := range []string{c.CA, c.Credentials} {
		if file == "" {
			continue
		}
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		f.Close()
	}
	return nil
}
