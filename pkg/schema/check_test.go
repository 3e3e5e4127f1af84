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
	}
	s := Of(reflect.TypeFor[one]())
	for text, good := range map[string]bool{
		`{"name":"a","list":[1,2],"count":3,"of":{"x":"y"}}`: true,
		`{"name":"a","list":null}`:                           true,
		`{"name":"a"}`:                                       false,
		`{"list":[]}`:                                        false,
		`{"name":1,"list":[]}`:                               false,
		`{"name":"a","list":["b"]}`:                          false,
		`{"name":"a","list":[1.5]}`:                          false,
		`{"name":"a","list":{}}`:                             false,
		`{"name":"a","list":[],"more":1}`:                    false,
		`{"name":"a","list":[],"of":{"x":1}}`:                false,
		`{"name":null,"list":[]}`:                            false,
		`{"name":true,"list":[]}`:                            false,
		`["a"]`:                                              false,
		`{"name":"a"`:                                        false,
	} {
		if err := s.Check([]byte(text)); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
}
