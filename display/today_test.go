package main

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/schema"
)

func TestTodayPrintsTheDaySoFar(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*Config) {})
	s.commit(logins(7)...)
	probe := login(10)
	probe.Kind, probe.User, probe.Count = attack.HTTPProbe, "", 4
	probe.Detail = attack.HTTP{Method: "GET", Target: "/.env"}
	s.commit(probe)
	var today Today
	printed := []byte(s.must("today", "--format", "json"))
	if err := errors.Join(json.Unmarshal(printed, &today), schema.Of(reflect.TypeFor[Today]()).Check(printed)); err != nil {
		t.Fatal(err)
	}
	lamps := map[string]uint64{}
	for _, l := range today.Lamps {
		lamps[l.Name] = l.Attempts
		sum := uint64(0)
		for _, n := range l.Hours {
			sum += n
		}
		if sum != l.Attempts || len(l.Hours) != 24 {
			t.Errorf("%s: %d hours with %d attempts", l.Name, len(l.Hours), sum)
		}
	}
	if today.Attempts != 11 || lamps["ssh-b"] != 7 || lamps["web"] != 4 || today.Usual != nil {
		t.Errorf("%+v", today)
	}
	if top := today.Top["targets"]; len(top) != 1 || top[0].Name != "/.env" || top[0].Attempts != 4 {
		t.Errorf("targets %+v", top)
	}
	if out := s.must("today"); !strings.Contains(out, "11 attempts") || !strings.Contains(out, "/.env") {
		t.Errorf("printed %s", out)
	}
}
