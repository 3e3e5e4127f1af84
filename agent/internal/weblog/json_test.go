package weblog

import (
	"net/netip"
	"strings"
	"testing"
)

// Requests in JSON as Caddy, Traefik and nginx write them, and HAProxy's HTTP log.
func TestOtherAccessLogs(t *testing.T) {
	tests := []struct {
		name, line, client    string
		port                  uint16
		method, target, agent string
		user, host            string
		status                uint16
		time                  string
	}{
		{"Caddy", `{"level":"info","ts":1738324800.5241024,"logger":"http.log.access.log0","msg":"handled request","request":{"remote_ip":"192.0.2.7","remote_port":"41342","client_ip":"192.0.2.7","proto":"HTTP/2.0","method":"GET","host":"www.example.com","uri":"/.env?a=1\u0026b=2","headers":{"User-Agent":["zgrab/0.x"],"Accept":["*/*"],"Client_ip":["203.0.113.9"]},"tls":{"resumed":false,"version":772,"server_name":"www.example.com"}},"bytes_read":0,"user_id":"","duration":0.000929675,"size":10900,"status":404,"resp_headers":{"Server":["Caddy"]}}`,
			"192.0.2.7", 41342, "GET", `/.env?a=1\u0026b=2`, "zgrab/0.x", "", "www.example.com", 404, "2025-01-31T12:00:00Z"},
		{"Caddy behind a proxy", `{"ts":1738324800,"request":{"remote_ip":"10.0.0.1","remote_port":"1","client_ip":"2001:db8::7","method":"GET","uri":"/"},"status":200}`,
			"2001:db8::7", 0, "GET", "/", "", "", "", 200, "2025-01-31T12:00:00Z"},
		{"Caddy 2.4", `{"level":"error","ts":1738324800.5,"logger":"http.log.access","msg":"handled request","request":{"remote_addr":"192.0.2.7:41342","proto":"HTTP/1.1","method":"POST","host":"h","uri":"/x","headers":{}},"common_log":"203.0.113.9 - -","status":500}`,
			"192.0.2.7", 41342, "POST", "/x", "", "", "h", 500, "2025-01-31T12:00:00Z"},
		{"Traefik", `{"ClientAddr":"192.0.2.7:4711","ClientHost":"192.0.2.7","ClientPort":"4711","ClientUsername":"eve","DownstreamContentSize":19,"DownstreamStatus":401,"Duration":12,"RequestHost":"h","RequestMethod":"GET","RequestPath":"/admin?x=\"y\"","RequestProtocol":"HTTP/1.1","RouterName":"r@docker","StartUTC":"2025-01-31T12:00:00.1Z","entryPointName":"web","level":"info","msg":"","request_User-Agent":"curl/8","time":"2025-01-31T12:00:00Z"}`,
			"192.0.2.7", 4711, "GET", `/admin?x=\"y\"`, "curl/8", "eve", "h", 401, "2025-01-31T12:00:00Z"},
		{"Traefik behind a proxy", `{"ClientAddr":"10.0.0.1:4711","ClientHost":"203.0.113.9, 192.0.2.7","ClientUsername":"-","DownstreamStatus":404,"RequestMethod":"GET","RequestPath":"/","time":"2025-01-31T13:00:00+01:00"}`,
			"192.0.2.7", 0, "GET", "/", "", "", "", 404, "2025-01-31T12:00:00Z"},
		{"nginx", `{"time_iso8601":"2025-01-31T12:00:00+00:00","remote_addr":"192.0.2.7","remote_user":"","request":"GET /a b HTTP/1.1","status":"404","http_user_agent":"x"}`,
			"192.0.2.7", 0, "GET", "/a b", "x", "", "", 404, "2025-01-31T12:00:00Z"},
		{"lighttpd", `192.0.2.7 www.example.com eve [31/Jan/2025:12:00:00 +0000] "GET /x HTTP/1.1" 401 345 "-" "curl/8"`,
			"192.0.2.7", 0, "GET", "/x", "curl/8", "eve", "www.example.com", 401, "2025-01-31T12:00:00Z"},
		{"HAProxy", `192.0.2.7:33317 [31/Jan/2025:12:00:00.655] http-in~ static/srv1 10/0/30/69/109 404 2750 - - ---- 1/1/1/1/0 0/0 "GET /.env HTTP/1.1"`,
			"192.0.2.7", 33317, "GET", "/.env", "", "", "", 404, "2025-01-31T12:00:00Z"},
		{"HAProxy with captures", `2001:db8::7:33317 [31/Jan/2025:12:00:00.655] http-in static/<NOSRV> 10/-1/-1/-1/109 503 212 - - SC-- 1/1/1/1/0 0/0 {www.example.com|Mozilla/5.0 zgrab/0.x|http://x/} {} "GET /x HTTP/1.1"`,
			"2001:db8::7", 33317, "GET", "/x", "Mozilla/5.0 zgrab/0.x", "", "", 503, "2025-01-31T12:00:00Z"},
		{"HAProxy with httpslog", `192.0.2.7:33317 [31/Jan/2025:12:00:00.655] https~ app/a1 0/0/1/2/3 200 5 - - ---- 1/1/0/0/0 0/0 "GET / HTTP/1.1" 0/0000/0/0/0 www.example.com/TLSv1.3/TLS_AES_256_GCM_SHA384`,
			"192.0.2.7", 33317, "GET", "/", "", "", "", 200, "2025-01-31T12:00:00Z"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var reader Reader
			var a Access
			line := []byte(test.line)
			if !reader.Access(line, &a) {
				t.Fatal("it is not read")
			}
			if a.Client.Addr != netip.MustParseAddr(test.client) || a.Client.Port != test.port {
				t.Errorf("client %v port %d", a.Client.Addr, a.Client.Port)
			}
			if string(a.Method) != test.method || string(a.Target) != test.target || a.Status != test.status {
				t.Errorf("%q %q %d", a.Method, a.Target, a.Status)
			}
			if string(a.Agent) != test.agent || string(a.User) != test.user || string(a.Host) != test.host {
				t.Errorf("agent %q, user %q, host %q", a.Agent, a.User, a.Host)
			}
			var clock Clock
			if at, ok := clock.Access(a.Stamp); !ok || at.UTC().Format("2006-01-02T15:04:05Z") != test.time {
				t.Errorf("time %v %v", at, ok)
			}
			if n := testing.AllocsPerRun(100, func() { reader.Access(line, &a) }); n > 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

// What is no request, or could be read in two ways, is not read.
func TestObjectsThatAreNoRequests(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		`{`, `{}`, `{"a"`, `{"a":1`, `{"status":200}`, `[1]`, `{"a":{{}}}`, `{"ts":1,"status":200,"request":{"method":"GET","uri":"/"}}`,
		`{"status":404,"request":{"remote_ip":"192.0.2.7","method":"GET","uri":"/"}} x`,
		`{"status":404,"request":{"remote_ip":"192.0.2.7","remote_ip":"203.0.113.9","method":"GET","uri":"/"}}`,
		`{"status":404,"request":{"remote_ip":"192.0.2.7","method":"GET","uri":"/"},"request":{"remote_ip":"203.0.113.9","method":"GET","uri":"/"}}`,
		`{"logger":"http.log.error","status":502,"request":{"remote_ip":"192.0.2.7","method":"GET","uri":"/"}}`,
		`{"reqId":"x","level":2,"time":"2025-01-31T12:00:00+00:00","remoteAddr":"192.0.2.7","method":"POST","url":"/login","message":"x"}`,
		strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100),
		`{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "}",
	} {
		var a Access
		if a.JSON([]byte(line)) {
			t.Errorf("%s was read: %+v", line, a)
		}
	}
}

func FuzzJSON(f *testing.F) {
	f.Add(`{"status":404,"request":{"remote_ip":"192.0.2.7","method":"GET","uri":"/a\"b"},"x":[1,{"y":null}]}`)
	f.Fuzz(func(t *testing.T, uri string) {
		var a Access
		line := []byte(`{"status":404,"request":{"remote_ip":"192.0.2.7","method":"GET","uri":` + uri)
		if a.JSON(line) && a.Client.Addr != netip.MustParseAddr("192.0.2.7") {
			t.Errorf("%s blames %v", line, a.Client.Addr)
		}
	})
}
