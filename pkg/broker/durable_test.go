package broker

import (
	"strings"
	"testing"
	"time"
)

// What a server answers says how it keeps its files; other answers say nothing.
func TestReadSync(t *testing.T) {
	for answer, want := range map[string]Sync{
		// nats-server 2.9, which has no such setting
		`{"server":{"name":"a","ver":"2.9.10","jetstream":true},"data":{"server_id":"N","now":"2026-11-21T21:58:26Z","config":{"max_memory":67108864,"max_storage":1073741824,"store_dir":"/var/lib/nats/jetstream"},"memory":0}}`: {"a", false, 2 * time.Minute},
		// since 2.10
		`{"server":{"name":"b"},"data":{"config":{"sync_interval":120000000000}}}`:                    {"b", false, 2 * time.Minute},
		`{"server":{"name":"c"},"data":{"config":{"sync_interval":10000000000}}}`:                     {"c", false, 10 * time.Second},
		`{"server":{"name":"d"},"data":{"config":{"sync_interval":120000000000,"sync_always":true}}}`: {"d", true, 2 * time.Minute},
	} {
		if one, ok := readSync([]byte(answer)); !ok || one != want {
			t.Errorf("%s is %+v, %t; want %+v", answer, one, ok, want)
		}
	}
	for _, answer := range []string{"", "null", "{}", `{"server":{"name":"e"},"data":{}}`, `{"server":{"name":"e"},"error":{"code":503}}`} {
		if one, ok := readSync([]byte(answer)); ok {
			t.Errorf("%s is %+v", answer, one)
		}
	}
}

func TestFrail(t *testing.T) {
	safe, unsafe := Sync{"a", true, time.Minute}, Sync{"b", false, 2 * time.Minute}
	for _, test := range []struct {
		replicas int
		syncs    []Sync
		want     string // a part; empty is not frail
	}{
		{3, nil, ""},
		{3, []Sync{unsafe}, ""},
		{1, nil, "unless its sync_interval says always"},
		{1, []Sync{safe}, ""},
		{1, []Sync{safe, unsafe}, "b syncs its files every 2m0s"},
	} {
		if got := Frail(test.replicas, test.syncs); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%d replicas on %+v: %q, want %q", test.replicas, test.syncs, got, test.want)
		}
	}
}
