package schema

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"testing"
	"time"
)

type inner struct {
	N uint8 `json:"n"`
}

type outer struct {
	inner
	At     time.Time         `json:"at,omitzero"`
	From   netip.Addr        `json:"from"`
	Names  []string          `json:"names"`
	Counts map[string]uint64 `json:"counts"`
	hidden int
	Share  float64 `json:"share,omitempty"`
}

func TestOf(t *testing.T) {
	_ = outer{}.hidden
	got, err := json.Marshal(Of(reflect.TypeFor[outer]()))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"properties":{"at":{"format":"date-time","type":"string"},"counts":{"additionalProperties":{"minimum":0,"type":"integer"},"type":"object"},` +
		`"from":{"type":"string"},"n":{"minimum":0,"type":"integer"},"names":{"items":{"type":"string"},"type":"array"},"share":{"type":"number"}},` +
		`"required":["n","from","names","counts"],"type":"object"}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
