"use strict";

/* The map: squares with counts from afar, the alerts of the list as dots, the chosen one as polygon.
   There is no background of streets: it would come from elsewhere. */
const NEAR_ZOOM = 12;

class AlertMap {
  constructor(element, backdrop, onChoose) {
    this.onChoose = onChoose;
    this.map = L.map(element, { zoomControl: true, attributionControl: false, keyboard: false });
    this.map.setView([-12.6, -69.2], 8);
    L.control.scale({ imperial: false }).addTo(this.map);
    if (backdrop) {
      L.imageOverlay("/backdrop.webp", backdrop.bounds, { alt: backdrop.date }).addTo(this.map);
    }
    this.cells = L.layerGroup();
    this.map.on("zoomend", () => this.showCellsFromAfar());
    this.dots = L.layerGroup().addTo(this.map);
    this.shape = L.geoJSON(null, { style: { className: "shape" } }).addTo(this.map);
    this.isPlaced = false;
  }

  showCells({ longitude, latitude, n }) {
    this.cells.clearLayers();
    const most = Math.max(1, ...n);
    const half = 0.05;
    n.forEach((count, i) => {
      const [lon, lat] = [longitude[i], latitude[i]];
      const square = [[lat - half, lon - half], [lat + half, lon + half]];
      L.rectangle(square, { className: "cell", fillOpacity: 0.08 + 0.3 * (count / most), interactive: false })
        .addTo(this.cells);
    });
    this.showCellsFromAfar();
  }

  /* Near by, a square would cover what it counts. */
  showCellsFromAfar() {
    if (this.map.getZoom() < NEAR_ZOOM) this.cells.addTo(this.map);
    else this.cells.remove();
  }

  showAlerts(alerts) {
    this.dots.clearLayers();
    for (const alert of alerts) {
      const [lon, lat] = alert.place;
      const options = { radius: 6, className: `dot ${alert.priority}` };
      L.circleMarker([lat, lon], options)
        .on("click", () => this.onChoose(alert.event_id))
        .addTo(this.dots);
    }
    if (!this.isPlaced && alerts.length) {
      this.isPlaced = true;
      this.map.fitBounds(alerts.map(({ place: [lon, lat] }) => [lat, lon]), { padding: [20, 20], maxZoom: 14 });
    }
  }

  showShape(feature) {
    this.shape.clearLayers();
    this.shape.addData(feature);
    this.map.fitBounds(this.shape.getBounds(), { padding: [40, 40], maxZoom: 16 });
  }
}
