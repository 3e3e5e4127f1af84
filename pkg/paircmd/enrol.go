package paircmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"github.com/pialert/pialert/pkg/broker"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/pairing"
)

// Files that joining a fleet writes beside the configuration.
const (
	credentialsFile = "nats.creds"
	caFile          = "nats-ca.pem"
)

// enrol brings this machine into a fleet: it pairs by the broker that the line names, and then writes
// down how the broker is reached.
func (p *program) enrol(ctx context.Context, stderr io.Writer, text string) error {
	if p.role != pairing.Agent {
		return &cli.UsageError{Err: errors.New("this line brings a server into a fleet: run it there, with sudo pialert-agent join")}
	}
	enrolment, err := broker.ParseEnrolment(text)
	if err != nil {
		return &cli.UsageError{Err: cli.Hint(err, "on the display, run: sudo pialert-display fleet add NAME")}
	}
	token, err := pairing.ParseToken(enrolment.Token)
	if err != nil {
		return &cli.UsageError{Err: err}
	}
	settings, keyring, err := p.open()
	if err != nil {
		return err
	}
	configured, err := isLinked(settings.Config)
	if err != nil {
		return err
	}
	if configured && settings.Broker == nil {
		return cli.Hint(fmt.Errorf("%s says already how this agent is linked", settings.Config),
			"to bring it into the fleet, take link: out of that file, and run this line again")
	}
	owner, dir, err := place(settings)
	if err != nil {
		return cli.Hint(err, "run the line again with sudo")
	}
	byHand := owner != settings.Config
	wanted := broker.Config{
		Servers: enrolment.Servers, CA: filepath.Join(dir, caFile), Credentials: filepath.Join(dir, credentialsFile), Stream: enrolment.Stream,
	}
	if configured { // its files are the ones that are read
		wanted.CA, wanted.Credentials = cmp.Or(settings.Broker.CA, wanted.CA), cmp.Or(settings.Broker.Credentials, wanted.Credentials)
	}
	conn, err := broker.Connect(broker.Config{Servers: enrolment.Servers}, broker.Options{
		Keyring: keyring, Log: slog.New(slog.DiscardHandler), Credentials: &enrolment.Credentials, CA: enrolment.CA,
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	peer, err := Redeem(ctx, conn, keyring, token)
	if err != nil {
		return p.explainEnrolment(err)
	}
	creds, err := enrolment.Credentials.File()
	if err != nil {
		return err
	}
	if err := errors.Join(
		writeFor(owner, wanted.Credentials, creds, 0o640),
		writeFor(owner, wanted.CA, enrolment.CA, 0o644),
	); err != nil {
		return cli.Hint(fmt.Errorf("paired with %s, but the broker's files cannot be written: %w", peer.Name, err), "run the line again with sudo")
	}
	switch {
	case configured:
	case byHand:
		fmt.Fprintf(stderr, "Paired with %s %s by the broker. %s cannot be written from here: put this into it, and restart %s:\n%s",
			peer.Role, peer.Name, settings.Config, p.here(), linkText(wanted))
		return nil
	default:
		if err := addLink(settings.Config, wanted); err != nil {
			return cli.Hint(fmt.Errorf("paired with %s, but the configuration cannot be written: %w", peer.Name, err), "run the line again with sudo")
		}
	}
	fmt.Fprintf(stderr, "Paired with %s %s by the broker; %s says how it is reached.\n", peer.Role, peer.Name, settings.Config)
	fmt.Fprintf(stderr, "To begin: sudo systemctl enable %[1]s && sudo systemctl restart %[1]s\n", p.here())
	return nil
}

// place returns the folder, by its whole path, for the files that joining writes, and the file or folder whose owner they
// get: beside the configuration, or where that cannot be written, as in a container, in the state.
func place(settings Settings) (owner, dir string, err error) {
	owner = settings.Config
	if dir, err = filepath.Abs(filepath.Dir(owner)); err == nil && canWrite(dir) != nil {
		owner, dir = settings.State, settings.State
		err = canWrite(dir)
	}
	return owner, dir, err
}

func (p *program) explainEnrolment(err error) error {
	again := "on the display, run sudo pialert-display fleet add NAME for a new line"
	switch {
	case errors.Is(err, pairing.ErrNoInvitation):
		return cli.Hint(errors.New("the display knows no such line: it has lapsed, or another was made for this name since"), "%s", again)
	case errors.Is(err, pairing.ErrJoinRefused), strings.Contains(err.Error(), "Authorization"):
		return cli.Hint(err, "%s", again)
	}
	return p.explain(err)
}

// isLinked says whether a configuration says how its program is linked.
func isLinked(file string) (bool, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return regexp.MustCompile(`(?m)^link[ \t]*:`).Match(text), err
}

// addLink adds to a configuration how the broker is reached.
func addLink(file string, c broker.Config) error {
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		text = append(text, '\n')
	}
	return writeFor(file, file, append(text, "\n# Added by pialert-agent join."+linkText(c)...), 0o640)
}

// linkText is what a configuration says of a broker.
func linkText(c broker.Config) string {
	return fmt.Sprintf("\nlink:\n  dial: nats\n  nats:\n    servers: [%s]\n    ca: %s\n    credentials: %s\n    stream: %s\n",
		strings.Join(c.Servers, ", "), c.CA, c.Credentials, c.Stream)
}

// canWrite returns why no file can be made in a folder, or nil.
func canWrite(dir string) error {
	file, err := os.CreateTemp(dir, ".join.*")
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// writeFor writes a file whole, for whoever has a configuration or a folder: its owner and group, or if it is not there
// those of the folder that it would be in.
func writeFor(whose, file string, data []byte, mode fs.FileMode) error {
	temporary, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // unless it was renamed
	if os.Geteuid() == 0 {
		info, err := os.Stat(whose)
		if errors.Is(err, fs.ErrNotExist) {
			info, err = os.Stat(filepath.Dir(whose))
		}
		if err == nil {
			if owner, ok := info.Sys().(*syscall.Stat_t); ok {
				err = temporary.Chown(int(owner.Uid), int(owner.Gid))
			}
		}
		if err != nil {
			return errors.Join(err, temporary.Close())
		}
	}
	_, err = temporary.Write(data)
	if err = errors.Join(err, temporary.Chmod(mode), temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), file)
}
