(()=>{const tip=document.createElement('div');tip.id='tip';tip.hidden=true;document.body.append(tip);
document.querySelectorAll('.at').forEach(g=>{const t=g.querySelector('title');const text=t.textContent;t.remove();
const show=e=>{tip.textContent=text;tip.hidden=false;
const w=tip.offsetWidth,h=tip.offsetHeight,x=e.clientX+14,y=e.clientY+14;
tip.style.left=Math.max(4,x+w>innerWidth-4?e.clientX-w-14:x)+'px';tip.style.top=Math.max(4,y+h>innerHeight-4?e.clientY-h-14:y)+'px'};
g.addEventListener('pointerenter',show);g.addEventListener('pointermove',show);g.addEventListener('pointerleave',()=>tip.hidden=true)});
addEventListener('scroll',()=>tip.hidden=true,{passive:true});
document.querySelectorAll('figure').forEach(f=>f.querySelector('img').addEventListener('click',()=>f.classList.toggle('large')))})();
