package spdx
import ("testing";"bytes";"fmt")
func TestDbg(t *testing.T){
 d,_:=Decode(bytes.NewReader([]byte(`{"spdxVersion":"SPDX-2.3","0":""}`)),nil)
 o,_:=encoded(t,d,nil); fmt.Println(string(o)); fmt.Println(d.Foreign)
 d2,_:=Decode(bytes.NewReader(o),nil); fmt.Println(d2.Foreign)
 o,_=encoded(t,d2,nil); fmt.Println(string(o))
}
