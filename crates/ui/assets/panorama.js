// A frame all around (equirectangular), seen from its middle: one triangle, and a shader that asks where each pixel looks.
"use strict";

window.Tatau = window.Tatau || {};

/// Shows `picture` (an image that is loaded) on `canvas`; drag, touch, arrow keys turn, wheel and + − zoom. `part` of it is the
/// sphere: `whole`, or what the left eye sees: `upper` or `left`. Null: no WebGL here.
window.Tatau.panorama = (canvas, picture, part) => {
  const VERTEX = "attribute vec2 at; varying vec2 place; void main() { place = at; gl_Position = vec4(at, 0.0, 1.0); }";
  const FRAGMENT = `precision highp float;
    varying vec2 place; uniform sampler2D frame; uniform vec2 turn; uniform vec2 lens;
    const float PI = 3.14159265358979;
    void main() {
      vec3 ray = normalize(vec3(place * lens, -1.0));
      float c = cos(turn.y), s = sin(turn.y);
      ray = vec3(ray.x, c * ray.y - s * ray.z, s * ray.y + c * ray.z);
      c = cos(turn.x); s = sin(turn.x);
      ray = vec3(c * ray.x - s * ray.z, ray.y, s * ray.x + c * ray.z);
      vec2 where = vec2(atan(ray.x, -ray.z) / (2.0 * PI) + 0.5, 0.5 - asin(clamp(ray.y, -1.0, 1.0)) / PI);
      gl_FragColor = vec4(texture2D(frame, where).rgb, 1.0);
    }`;
  const gl = canvas.getContext("webgl", { antialias: false });
  if (!gl || !picture.naturalWidth) return null;

  const shader = (kind, text) => {
    const one = gl.createShader(kind);
    gl.shaderSource(one, text);
    gl.compileShader(one);
    return one;
  };
  const program = gl.createProgram();
  gl.attachShader(program, shader(gl.VERTEX_SHADER, VERTEX));
  gl.attachShader(program, shader(gl.FRAGMENT_SHADER, FRAGMENT));
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) return null;
  gl.useProgram(program);
  gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 3, -1, -1, 3]), gl.STATIC_DRAW);
  gl.enableVertexAttribArray(0);
  gl.bindAttribLocation(program, 0, "at");
  gl.vertexAttribPointer(gl.getAttribLocation(program, "at"), 2, gl.FLOAT, false, 0, 0);

  // A picture that is larger than the card takes is drawn smaller first.
  const most = gl.getParameter(gl.MAX_TEXTURE_SIZE);
  let source = picture;
  const wide = part === "left" ? Math.floor(picture.naturalWidth / 2) : picture.naturalWidth;
  const high = part === "upper" ? Math.floor(picture.naturalHeight / 2) : picture.naturalHeight;
  const share = Math.min(1, most / wide, most / high);
  if (share < 1 || wide !== picture.naturalWidth || high !== picture.naturalHeight) {
    source = document.createElement("canvas");
    source.width = Math.max(1, Math.floor(wide * share));
    source.height = Math.max(1, Math.floor(high * share));
    source.getContext("2d").drawImage(picture, 0, 0, wide, high, 0, 0, source.width, source.height);
  }
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, gl.RGB, gl.UNSIGNED_BYTE, source);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);

  let yaw = 0;
  let pitch = 0;
  let view = 80; // degrees from left to right
  let waiting = 0;
  const draw = () => {
    waiting = 0;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.max(1, Math.round(canvas.clientWidth * ratio));
    canvas.height = Math.max(1, Math.round(canvas.clientHeight * ratio));
    gl.viewport(0, 0, canvas.width, canvas.height);
    const across = Math.tan((view * Math.PI) / 360);
    gl.uniform2f(gl.getUniformLocation(program, "turn"), yaw, pitch);
    gl.uniform2f(gl.getUniformLocation(program, "lens"), across, (across * canvas.height) / canvas.width);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  };
  const redraw = () => { waiting ||= requestAnimationFrame(draw); };
  const look = (right, up) => {
    yaw = (yaw + right) % (2 * Math.PI);
    pitch = Math.max(-Math.PI / 2, Math.min(Math.PI / 2, pitch + up));
    redraw();
  };
  const zoom = (by) => { view = Math.max(25, Math.min(120, view * by)); redraw(); };

  const ending = new AbortController();
  const on = (name, act, target = canvas) => target.addEventListener(name, act, { signal: ending.signal, passive: false });
  on("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); });
  on("pointermove", (event) => {
    if (!canvas.hasPointerCapture(event.pointerId)) return;
    const radians = (view * Math.PI) / 180 / canvas.clientWidth;
    look(-event.movementX * radians, event.movementY * radians);
  });
  on("wheel", (event) => { event.preventDefault(); zoom(event.deltaY > 0 ? 1.08 : 0.925); });
  on("keydown", (event) => {
    const turns = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] }[event.key];
    if (turns) look(...turns);
    else if (event.key === "+") zoom(0.9);
    else if (event.key === "-") zoom(1.1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  on("resize", redraw, window);
  redraw();
  return { stop: () => { ending.abort(); cancelAnimationFrame(waiting); } };
};
