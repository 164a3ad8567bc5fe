package qmux
import ("testing";"fmt";"time";"os";"strconv")
func TestDbg(t *testing.T){
 w,_:=strconv.ParseUint(os.Getenv("W"),10,64); cw,_:=strconv.ParseUint(os.Getenv("CW"),10,64); size,_:=strconv.Atoi(os.Getenv("SZ"))
 moq := fmt.Sprintf(`{"maxData":%d,"maxStreamDataBidiLocal":%d,"maxStreamDataBidiRemote":%[2]d,"maxStreamsBidi":5}`,cw,w)
 n, s := moqServed(t, "qmux-02", moq, Config{StreamWindow: w, ConnWindow: cw, MaxStreams: 5})
go func(){ for n.reports.Scan(){ fmt.Println(n.reports.Text())}}()
 defer s.Close(0,"")
 t0:=time.Now()
 st:=interop{t,s}.command("echo")
 go func(){ time.Sleep(3*time.Second); s.mu.Lock(); fmt.Printf("in %+v out %+v starved %d ready %d\n", s.in, s.out, len(s.starved), len(s.ready)); for _,st:=range s.streams { fmt.Printf(" st %d in %+v out %+v pend %d unread %d\n", st.id, st.in, st.out, st.pending(), st.unread)}; s.mu.Unlock()}()
 go func(){ st.Write(random(size)); st.Close()}()
 st.SetReadDeadline(time.Now().Add(5*time.Second))
 fmt.Println(len(interop{t,s}.all(st)), time.Since(t0))
}
