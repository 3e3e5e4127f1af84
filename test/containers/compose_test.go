package containers

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/pialert/pialert/packaging/demo/program"
)

// composed is packaging/compose on a host, whose services podman runs as the file says.
type composed struct {
	*host
	folder  string // the owner's copy
	project *types.Project
}

func compose(t *testing.T) *composed {
	t.Helper()
	c := &composed{host: boot(t)}
	c.folder = c.path("compose")
	c.must(os.CopyFS(c.folder, os.DirFS("../../packaging/compose")))
	options, err := cli.NewProjectOptions([]string{filepath.Join(c.folder, "compose.yaml")}, cli.WithProfiles([]string{"*"}))
	c.must(err)
	c.project, err = options.LoadProject(t.Context())
	c.must(err)
	c.must(os.MkdirAll(c.path("run/log/journal"), 0o755))
	c.importNATS()
	return c
}

// importNATS makes an image of Debian's nats-server, in the place of the one that the file names.
func (c *composed) importNATS() {
	c.t.Helper()
	pack := exec.CommandContext(c.ctx, "sh", "-ec", `cd / && tar --dereference -cf - usr/sbin/nats-server $(ldd /usr/sbin/nats-server | grep -o '/lib[^ ]*' | cut -c2-)`)
	load := exec.CommandContext(c.ctx, "podman", c.engine([]string{"import", "--quiet", "--change", `ENTRYPOINT ["/usr/sbin/nats-server"]`, "-", "nats:2"})...)
	var err error
	load.Stdin, err = pack.StdoutPipe()
	c.must(err)
	c.must(pack.Start())
	out, err := load.CombinedOutput()
	if err != nil {
		c.t.Fatalf("%v\n%s", err, out)
	}
	c.must(pack.Wait())
}

// options are podman's for a service. Its host is the test's: logs and network.
func (c *composed) options(name string) (options []string) {
	service := c.project.Services[name]
	options = []string{"--network", "ns:/run/netns/" + c.netns, "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"}
	if service.ReadOnly {
		options = append(options, "--read-only", "--read-only-tmpfs=false")
	}
	for flag, values := range map[string][]string{"--cap-drop": service.CapDrop, "--cap-add": service.CapAdd, "--security-opt": service.SecurityOpt, "--group-add": service.GroupAdd} {
		for _, value := range values {
			options = append(options, flag, strings.TrimSuffix(value, ":true"))
		}
	}
	if service.User != "" {
		options = append(options, "--user", service.User)
	}
	for _, volume := range service.Volumes {
		from := volume.Source
		switch from {
		case "/var/log":
			from = c.path("log")
		case "/run/log/journal":
			from = c.path("run/log/journal")
		}
		mount := from + ":" + volume.Target
		if volume.ReadOnly {
			mount += ":ro"
		}
		options = append(options, "--volume", mount)
	}
	return options
}

func (c *composed) image(name string) string {
	if image := c.project.Services[name].Image; image == "nats:2" {
		return image
	}
	return "oci:" + filepath.Join(images, c.project.Services[name].Image)
}

// up is docker compose up --detach, of one service.
func (c *composed) up(name string) {
	c.t.Helper()
	c.podman(append(append([]string{"run", "--detach", "--quiet", "--name", name, "--stop-timeout=1"}, c.options(name)...),
		append([]string{c.image(name)}, c.project.Services[name].Command...)...)...)
	c.t.Cleanup(func() {
		if c.t.Failed() {
			out, _ := c.try("podman", c.engine([]string{"logs", name})...)
			c.t.Logf("%s wrote:\n%s", name, out)
		}
	})
}

// add appends to a file of the owner's copy.
func (c *composed) add(file, text string) {
	c.t.Helper()
	f, err := os.OpenFile(filepath.Join(c.folder, file), os.O_APPEND|os.O_WRONLY, 0)
	c.must(err)
	_, err = f.WriteString(text)
	c.must(err)
	c.must(f.Close())
}

// linkIn is the part of a configuration that a command said to put somewhere.
func linkIn(t *testing.T, said string) string {
	t.Helper()
	_, text, found := strings.Cut(said, "\nlink:\n")
	if text, _, _ = strings.Cut(text, "\n\n"); !found {
		t.Fatalf("it says nothing of link:\n%s", said)
	}
	return "\nlink:\n" + text + "\n"
}

// All services of the compose file together: agent and display come together at NATS, and the responder bans.
func TestComposeRuns(t *testing.T) {
	c := compose(t)
	nats := filepath.Join(c.folder, "nats")
	c.must(os.Mkdir(nats, 0o755))
	c.must(os.Chown(nats, 65532, 0)) // mkdir nats && sudo chown 65532 nats
	said := c.podman(append(append([]string{"run", "--rm", "--quiet", "--volume", nats + ":/nats"}, c.options("display")...),
		c.image("display"), "fleet", "init", "--server", "tls://127.0.0.1:4222", "--out", "/nats")...)
	c.add("display.yaml", linkIn(t, said))
	c.add("agent.yaml", "name: web1\nresponses: {mode: enforce, nftables: {}}\n")
	for _, name := range []string{"nats", "display", "responder", "agent"} {
		c.up(name)
	}
	exec := func(args ...string) (string, error) {
		return c.try("podman", c.engine(append([]string{"exec"}, args...))...)
	}
	for _, name := range []string{"agent", "display"} {
		c.must(program.Poll(c.ctx, func() error { _, err := exec(name, "pialert-"+name, "status"); return err }))
	}
	line, err := exec("display", "pialert-display", "fleet", "add", "web1")
	c.must(err)
	words := strings.Fields(line)
	said, err = exec("agent", "pialert-agent", "join", words[3])
	c.must(err)
	if !strings.Contains(said, "cannot be written from here: put this into it") {
		t.Errorf("join says\n%s", said)
	}
	c.add("agent.yaml", linkIn(t, said))
	if code := c.stop("agent"); code != "0" {
		t.Errorf("the agent ended with %s", code)
	}
	c.up("agent")
	c.attack(1000, 20)
	c.total(20)
	_, err = exec("agent", "pialert-agent", "ban", "9.9.9.9", "--for", "1h")
	c.must(err)
	if out := c.sh("ip", "netns", "exec", c.netns, "nft", "list", "set", "inet", "pialert", "ban4"); !strings.Contains(out, "9.9.9.9") {
		t.Errorf("in force is %s", out)
	}
	for _, name := range []string{"agent", "display", "responder"} {
		if code := c.stop(name); code != "0" {
			t.Errorf("the %s ended with %s", name, code)
		}
	}
}
