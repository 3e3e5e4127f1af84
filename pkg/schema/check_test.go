package schema

import (
	"reflect"
	"testing"
)

func TestCheck(t *testing.T) {
	type one struct {
		Name  string            `json:"name"`
		Count uint64            `json:"count,omitempty"`
		List  []int             `json:"list"`
		Of    map[string]string `json:"of,omitempty"`
		Maybe *[]int            `json:"maybe"`
	}
	s := Of(reflect.TypeFor[one]())
	for text, good := range map[string]bool{
		`{"maybe":[7],"name":"a","list":[1,2],"count":3,"of":{"x":"y"}}`: true,
		`{"maybe":[7],"name":"a","list":null}`:                           false,
		`{"maybe":[7],"name":"a"}`:                                       false,
		`{"maybe":[7],"list":[]}`:                                        false,
		`{"maybe":[7],"name":1,"list":[]}`:                               false,
		`{"maybe":[7],"name":"a","list":["b"]}`:                          false,
		`{"maybe":[7],"name":"a","list":[1.5]}`:                          false,
		`{"maybe":[7],"name":"a","list":{}}`:                             false,
		`{"maybe":[7],"name":"a","list":[],"more":1}`:                    false,
		`{"maybe":[7],"name":"a","list":[],"of":{"x":1}}`:                false,
		`{"maybe":[7],"name":null,"list":[]}`:                            false,
		`{"maybe":[7],"name":true,"list":[]}`:                            false,
		`["a"]`:                                                          false,
		`{"maybe":[7],"name":"a"`:                                        false,
		`{"name":"a","list":[],"maybe":null}`:                            true,
		`{"name":"a","list":[],"maybe":["b"]}`:                           false,
		`{"name":"a","list":[]}`:                                         false,
	} {
		if err := s.Check([]byte(text)); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
}
