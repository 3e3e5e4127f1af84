package notices

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pialert/pialert/packaging/demo/program"
)

// botAPI is somebody else's stand-in for Telegram's Bot API, from npm.
const botAPI = "telegram-test-api@4.2.1"

// botModules returns the folder that has the stand-in, which npm fills the first time.
func botModules(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "pialert", botAPI)
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "telegram-test-api")); err == nil {
		return dir
	}
	fresh, err := os.MkdirTemp("", "bot")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(fresh)
	out, err := exec.CommandContext(t.Context(), "npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", fresh, botAPI).CombinedOutput()
	if err != nil {
		t.Fatalf("cannot get %s from npm: %v\n%s", botAPI, err, out)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-r", fresh, dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// A user name that is markup reaches Telegram as text, once.
func TestTelegram(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	listener.Close()
	command := exec.Command("node", "-e", `const T = require("telegram-test-api"); new T({port: `+port+`, host: "127.0.0.1"}).start()`)
	command.Dir = botModules(t)
	server, err := program.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Kill)
	url := "http://127.0.0.1:" + port
	h := settle(t, fmt.Sprintf(`  channels:
    - {name: mail, telegram: {chat: "-100123", token_file: token, url: %q}}
%s`, url, rule), map[string][]byte{"token": []byte("42:SECRET\n")})
	h.attack("</b><a href=https://192.0.2.1>win</a>&", 1)
	if all := h.await(); len(all) != 1 || all[0].State != "delivered" {
		t.Errorf("outbox %+v", all)
	}
	response, err := http.Post(url+"/getUpdatesHistory", "application/json", strings.NewReader(`{"token":"42:SECRET"}`))
	h.must(err)
	defer response.Body.Close()
	var history struct {
		Result []struct {
			Message struct {
				Chat string `json:"chat_id"`
				Text string `json:"text"`
			} `json:"message"`
		} `json:"result"`
	}
	h.must(json.NewDecoder(response.Body).Decode(&history))
	want := `<b>1 failed SSH login of "&lt;/b&gt;&lt;a href=https://192.0.2.1&gt;win&lt;/a&gt;&amp;" from 203.0.113.7 on vps</b>`
	if len(history.Result) != 1 || history.Result[0].Message.Chat != "-100123" || strings.TrimSpace(history.Result[0].Message.Text) != want {
		t.Errorf("Telegram got %+v, want %s", history.Result, want)
	}
}

// A proxy that the environment names carries what goes to services; certificates are verified
// through it.
func TestAProxyIsUsed(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 4)
	proxy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { proxy.Close() })
	go http.Serve(proxy, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.Host
		http.Error(w, "no way through", http.StatusBadGateway)
	}))
	h := settle(t, `  channels:
    - {name: hook, webhook: {url: "https://hooks.example.org/pialert"}}
`, map[string][]byte{"proxy": []byte("http://" + proxy.Addr().String())})
	if out, err := h.Display(h.ctx, "notices", "test", "hook"); err == nil {
		t.Errorf("it was sent: %s", out)
	}
	if got := <-asked; got != "CONNECT hooks.example.org:443" {
		t.Errorf("the proxy was asked for %s", got)
	}
}
